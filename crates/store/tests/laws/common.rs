//! A store of its own, with two environments, and short words for what tests do with it.

use crate::bench::Bench;
use crate::store::{
    Failure, Store,
    columns::Param,
    steps::{
        answer_challenge::{AnswerChallenge, Told},
        data_keys::FoundKeyRing,
        enroll_factor::EnrollFactor,
        environments::CreateEnvironment,
        factor_binding,
        open_challenge::{Guarded, OpenChallenge, OpenPolicy, Opened},
    },
    trail::{ChainEnd, ReadTrail, Recorded},
};
mod word;

pub(crate) use word::word;

use domain::{
    challenge::Limits,
    environment::{Environment, Mode, Scope},
    event::Actor,
    factor::FactorKind,
    id::{ChallengeId, DeliveryId, EnvironmentId, FactorId, Minter},
    phone::PhoneNumber,
    refusal::Refusal,
    settings::Settings,
    time::Timestamp,
    user_id::UserId,
};
use secrets::{Entropy, KeyRing, MasterKey, Submitted, SystemEntropy, TotpSeed, hotp};
use std::sync::Arc;

/// The middle of a step.
pub(crate) fn noon() -> Timestamp {
    Timestamp::from_millis(1_800_000_015_000)
}

pub(crate) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

/// How an operator appears in the trail.
pub(crate) fn operator() -> Actor {
    Actor::Operator("ada".into())
}

/// A store with its keys.
pub(crate) struct House {
    pub(crate) bench: Bench,
    pub(crate) store: Store,
    pub(crate) ring: KeyRing,
    pub(crate) master: MasterKey,
    pub(crate) ours: Environment,
    pub(crate) theirs: Environment,
    pub(crate) minter: Minter,
}

/// A TOTP factor and the copy of its seed that its owner has.
pub(crate) struct Totp {
    pub(crate) id: FactorId,
    pub(crate) seed: TotpSeed,
}

impl Totp {
    /// The code that its app shows.
    pub(crate) fn code(&self, now: Timestamp) -> Submitted {
        Submitted::WellFormed(hotp(&self.seed, now.step()))
    }

    /// A code that is right nowhere near `now`.
    pub(crate) fn wrong(&self, now: Timestamp) -> Submitted {
        let here = now.step();
        let near: Vec<_> = (here - 2..=here + 2).map(|s| hotp(&self.seed, s)).collect();
        let free = (0..9).map(|n| format!("00000{n}")).find(|t| near.iter().all(|c| c.reveal() != t));
        Submitted::parse(&free.unwrap())
    }
}

impl House {
    pub(crate) async fn new() -> Arc<Self> {
        let mut bench = Bench::new();
        let store = bench.open().await;
        let master = MasterKey::generate(&SystemEntropy).unwrap();
        let (ring, keys) = KeyRing::create(&SystemEntropy, &master, noon().millis()).unwrap();
        assert!(store.step(FoundKeyRing { keys, ring: ring.clone() }).await.unwrap());
        store.begin_trail(ring.clone()).unwrap();
        let minter = Minter::default();
        let environment = |name: &str| Environment {
            id: EnvironmentId::from_bytes(minter.mint(noon(), &SystemEntropy).unwrap()),
            name: name.into(),
            mode: Mode::Test,
            client_id: format!("client_{name}"),
            settings: Settings::default(),
        };
        let (ours, theirs) = (environment("ours"), environment("theirs"));
        for e in [&ours, &theirs] {
            let step = CreateEnvironment {
                now: noon(),
                actor: operator(),
                id: e.id,
                name: e.name.clone(),
                mode: e.mode,
                client_id: e.client_id.clone(),
            };
            assert!(store.step(step).await.unwrap());
        }
        Arc::new(Self { bench, store, ring, master, ours, theirs, minter })
    }

    /// Closes the store and opens it again, as a restart does.
    pub(crate) async fn reopened(self: Arc<Self>) -> Arc<Self> {
        let Ok(mut house) = Arc::try_unwrap(self) else { panic!("somebody still uses the house") };
        house.store.close();
        house.store = house.bench.open().await;
        house.store.begin_trail(house.ring.clone()).unwrap();
        Arc::new(house)
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::of_operator(&self.ours)
    }

    pub(crate) fn foreign_scope(&self) -> Scope {
        Scope::of_operator(&self.theirs)
    }

    pub(crate) fn mint(&self, now: Timestamp) -> [u8; 16] {
        self.minter.mint(now, &SystemEntropy).unwrap()
    }

    /// Statements of somebody who has the database in hand.
    pub(crate) async fn edit(&self, sql: &str, params: &[Param<'_>]) -> u64 {
        self.bench.edit(sql, params).await
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.bench.count(sql).await
    }

    /// The first column, which holds bytes.
    pub(crate) async fn bytes(&self, sql: &str) -> Vec<Vec<u8>> {
        self.bench.bytes(sql).await
    }

    async fn enroll(
        &self,
        kind: FactorKind,
        user: Option<&str>,
        plain: Option<&[u8]>,
        now: Timestamp,
    ) -> FactorId {
        self.enroll_in(self.scope(), kind, user, plain, now).await
    }

    async fn enroll_in(
        &self,
        scope: Scope,
        kind: FactorKind,
        user: Option<&str>,
        plain: Option<&[u8]>,
        now: Timestamp,
    ) -> FactorId {
        let id = FactorId::from_bytes(self.mint(now));
        let environment = scope.environment();
        let bound_to = factor_binding(environment.bytes(), id.bytes());
        let step = EnrollFactor {
            scope,
            actor: operator(),
            now,
            id,
            kind,
            user: user.map(|u| UserId::parse(u).unwrap()),
            label: (kind == FactorKind::Totp).then(|| ("Issuer".into(), "ada@example.com".into())),
            sealed: plain.map(|p| self.ring.seal(&SystemEntropy, &bound_to, p).unwrap()),
            factors_max: None,
            for_tests: false,
            challenge: None,
        };
        self.store.step(step).await.unwrap().unwrap();
        id
    }

    pub(crate) async fn totp(&self, user: Option<&str>) -> Totp {
        self.totp_in(self.scope(), user).await
    }

    pub(crate) async fn totp_in(&self, scope: Scope, user: Option<&str>) -> Totp {
        let seed = TotpSeed::generate(&SystemEntropy).unwrap();
        let id = self.enroll_in(scope, FactorKind::Totp, user, Some(seed.as_bytes()), noon()).await;
        Totp { id, seed }
    }

    pub(crate) async fn generic(&self, now: Timestamp) -> FactorId {
        self.enroll(FactorKind::GenericOtp, None, None, now).await
    }

    pub(crate) async fn phone(&self, number: &PhoneNumber) -> FactorId {
        self.enroll(FactorKind::Sms, None, Some(number.reveal().as_bytes()), noon()).await
    }

    pub(crate) async fn phone_of(&self, scope: Scope, user: &str, number: &PhoneNumber) -> FactorId {
        self.enroll_in(scope, FactorKind::Sms, Some(user), Some(number.reveal().as_bytes()), noon()).await
    }

    pub(crate) fn policy() -> OpenPolicy {
        let settings = Settings::default();
        OpenPolicy {
            totp_ttl_seconds: settings.totp_challenge_ttl,
            limits: limits(),
            prefixes: settings.sms_prefixes,
            per_number: settings.sms_per_number,
            daily_quota: settings.sms_daily_quota,
            default_template: settings.sms_default_template,
        }
    }

    pub(crate) fn opening(&self, scope: Scope, factor: FactorId, now: Timestamp) -> OpenChallenge {
        OpenChallenge {
            scope,
            now,
            factor,
            id: ChallengeId::from_bytes(self.mint(now)),
            delivery: DeliveryId::from_bytes(self.mint(now)),
            template: Ok(None),
            request: Ok(()),
            policy: Self::policy(),
            guard: Guarded {
                rules: Arc::default(),
                mode: Mode::Test,
                actor: operator(),
                address: None,
                noticed: Arc::default(),
            },
            ring: self.ring.clone(),
            entropy: entropy(),
        }
    }

    pub(crate) async fn try_open(
        &self,
        factor: FactorId,
        now: Timestamp,
    ) -> Result<(ChallengeId, Opened), Refusal> {
        let step = self.opening(self.scope(), factor, now);
        let id = step.id;
        self.store.step(step).await.unwrap().map(|opened| (id, opened))
    }

    pub(crate) async fn challenge(&self, factor: FactorId) -> ChallengeId {
        self.try_open(factor, noon()).await.unwrap().0
    }

    pub(crate) fn answering(
        &self,
        challenge: ChallengeId,
        submitted: Submitted,
        now: Timestamp,
    ) -> AnswerChallenge {
        AnswerChallenge {
            scope: self.scope(),
            actor: operator(),
            now,
            challenge,
            submitted: Ok(submitted),
            limits: limits(),
            rules: Arc::default(),
            ring: self.ring.clone(),
        }
    }

    pub(crate) async fn answer(
        &self,
        challenge: ChallengeId,
        submitted: Submitted,
        now: Timestamp,
    ) -> Result<Result<Told, Refusal>, Failure> {
        self.store.step(self.answering(challenge, submitted, now)).await
    }

    /// The answer in one word.
    pub(crate) async fn told(
        &self,
        challenge: ChallengeId,
        submitted: Submitted,
        now: Timestamp,
    ) -> &'static str {
        word(&self.answer(challenge, submitted, now).await)
    }

    /// The whole trail, and where it is broken.
    pub(crate) async fn trail(&self) -> (Vec<Recorded>, Option<i64>) {
        let query = ReadTrail { after: ChainEnd::default(), limit: 100_000, ring: self.ring.clone() };
        let page = self.store.query(query).await.unwrap();
        (page.entries, page.broken_at)
    }
}

pub(crate) fn limits() -> Limits {
    let settings = Settings::default();
    Limits { factor_lock_after: settings.factor_lock_after, user_lock_after: settings.user_lock_after }
}

pub(crate) fn number(last: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+1415555{last:04}")).unwrap()
}
