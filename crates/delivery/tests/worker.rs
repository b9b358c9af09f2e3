//! The worker over a real store: what it sends, once, and what it leaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use app::{Answer, App, ClockGuard, DevClock, Dispatcher as _, EnrollRequest, NewFactor, Options};
use countersign_delivery::{
    Hindrance, Mailbox, NoSender, Patience, Provider, Route, Routing, ScriptedOutcome, Sender, Sending, Sent,
    Worker,
};
use domain::{
    delivery::{Delivery, DispatchOutcome},
    environment::{Environment, Mode, Permissions},
    event::Actor,
    id::FactorId,
    time::Clock as _,
};
use secrets::{ApiKeyText, MasterKey, SystemEntropy};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use store::{
    Store,
    sqlite::{DataFolder, Sqlite},
    trail::ChainEnd,
};

const KEY: &str = "sk_test_default";

struct World {
    app: App,
    clock: Arc<DevClock>,
    environment: Arc<Environment>,
    factor: FactorId,
    _folder: tempfile::TempDir,
}

/// A store with one phone, whose challenges do not wait for their message.
async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let data = DataFolder::lock(folder.path()).unwrap();
    let clock = Arc::new(DevClock::default());
    clock.freeze(true);
    let engine = Sqlite::open(&data, clock.now(), Box::new(|why: &str| panic!("{why}"))).unwrap();
    let master = MasterKey::generate(&SystemEntropy).unwrap();
    let guard = ClockGuard::movable(Box::new(Arc::clone(&clock)));
    let options = Options { lenient_keys: true };
    let app =
        App::start(Store::Sqlite(engine), &master, guard, Arc::new(SystemEntropy), options).await.unwrap();
    let environment = app.create_environment(Actor::Server, "test", Mode::Test).await.unwrap();
    app.change_setting(Actor::Server, &environment, "sms_wait_ms", Some("0")).await.unwrap();
    let key = ApiKeyText::parse_lenient(KEY).unwrap();
    app.add_api_key(Actor::Server, &environment, "k", &key, Permissions::FULL, None).await.unwrap();
    let caller = app.authenticate(KEY, clock.now()).unwrap();
    let request =
        EnrollRequest { factor: NewFactor::Sms("+14155550101".into()), user: None, with_challenge: false };
    let render = Arc::new(|out: &Result<Arc<app::Enrolled>, _>| {
        let body = out.as_ref().unwrap().factor.id.to_string().into_bytes();
        Answer { status: 201, body }
    });
    let answer = app.enroll_factor(&caller, request, None, render).await.unwrap();
    let factor = FactorId::parse(std::str::from_utf8(&answer.body).unwrap()).unwrap();
    World { app, clock, environment, factor, _folder: folder }
}

impl World {
    /// Opens a challenge, whose message nobody sends yet.
    async fn owe(&self) {
        let caller = self.app.authenticate(KEY, self.clock.now()).unwrap();
        let render = Arc::new(|out: &Result<app::OpenedChallenge, _>| {
            assert!(out.is_ok());
            Answer { status: 201, body: Vec::new() }
        });
        let request = app::ChallengeRequest { template: Ok(None), address: None, problems: Ok(()) };
        self.app.open_challenge(&caller, self.factor, request, None, render).await.unwrap();
    }

    /// How messages ended, as the trail tells it, once there are so many.
    async fn outcomes(&self, count: usize) -> Vec<String> {
        loop {
            let page = self.app.read_trail(ChainEnd::default(), 1_000).await.unwrap();
            let settled = page.entries.into_iter().filter(|e| e.kind == "delivery.settled");
            let told: Vec<_> = settled.map(|e| e.detail.unwrap()).collect();
            if told.len() >= count {
                return told;
            }
            tokio::task::yield_now().await;
        }
    }

    fn worker(&self, sender: Arc<dyn Sender>) -> Worker {
        Worker::new(self.app.clone(), Routing::only("one", sender), Arc::new(()))
    }
}

/// Counts, and never ends.
#[derive(Default)]
struct Stuck(AtomicU32);

impl Sender for Stuck {
    fn send<'a>(&'a self, _: &'a Delivery, _: Duration) -> Sending<'a> {
        self.0.fetch_add(1, Relaxed);
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn w11_what_a_node_left_owed_is_sent_by_a_sweep_once_its_lease_is_over_and_only_once() {
    let world = world().await;
    let mailbox = Arc::new(Mailbox::default());
    let worker = world.worker(Arc::<Mailbox>::clone(&mailbox));
    world.owe().await;
    assert_eq!(worker.sweep().await.unwrap(), 0, "it is still the other node's");
    world.clock.advance(60_000);
    assert_eq!(worker.sweep().await.unwrap(), 1);
    assert_eq!(world.outcomes(1).await, [r#"{"outcome":"accepted"}"#]);
    world.clock.advance(120_000);
    assert_eq!(worker.sweep().await.unwrap(), 0);
    assert_eq!(mailbox.messages(world.environment.id, None, 10).len(), 1);
}

#[tokio::test]
async fn w11_a_message_that_was_being_sent_when_its_node_died_is_of_unknown_outcome_and_never_sent_again() {
    let world = world().await;
    let stuck = Arc::new(Stuck::default());
    let dying = world.worker(Arc::<Stuck>::clone(&stuck));
    world.owe().await;
    world.clock.advance(60_000);
    assert_eq!(dying.sweep().await.unwrap(), 1);
    while stuck.0.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let mailbox = Arc::new(Mailbox::default());
    let next = world.worker(Arc::<Mailbox>::clone(&mailbox));
    assert_eq!(next.sweep().await.unwrap(), 0);
    world.clock.advance(60_000);
    assert_eq!(next.sweep().await.unwrap(), 0);
    assert_eq!(world.outcomes(1).await, [r#"{"outcome":"unknown"}"#]);
    assert!(mailbox.messages(world.environment.id, None, 10).is_empty());
    assert_eq!(stuck.0.load(Relaxed), 1);
}

#[tokio::test]
async fn w11_a_message_whose_challenge_has_ended_is_not_sent_any_more() {
    let world = world().await;
    let mailbox = Arc::new(Mailbox::default());
    world.owe().await;
    world.clock.advance(600_000);
    assert_eq!(world.worker(Arc::<Mailbox>::clone(&mailbox)).sweep().await.unwrap(), 0);
    assert!(mailbox.messages(world.environment.id, None, 10).is_empty());
}

#[tokio::test]
async fn w11_without_a_provider_a_message_is_surely_not_sent_and_a_script_decides_otherwise() {
    let world = world().await;
    let mailbox = Arc::new(Mailbox::default());
    mailbox.fail_next(world.environment.id, 1, ScriptedOutcome::RejectedNumber);
    let senders: [Arc<dyn Sender>; 2] = [Arc::new(NoSender), mailbox];
    for sender in senders {
        world.owe().await;
        world.clock.advance(60_000);
        assert_eq!(world.worker(sender).sweep().await.unwrap(), 1);
    }
    let told = world.outcomes(2).await;
    assert_eq!(told, [r#"{"outcome":"not_sent"}"#, r#"{"outcome":"rejected_number"}"#]);
}

#[tokio::test]
async fn an_outcome_that_is_not_there_to_be_known_is_told_as_none() {
    let world = world().await;
    let worker = world.worker(Arc::new(NoSender));
    let gone = worker.dispatch(domain::id::DeliveryId::from_bytes([9; 16]));
    assert!(gone.await.is_err());
    // And one that is, is told.
    world.owe().await;
    let owed = world.app.store().query(store::queries::OldestUnsettledDelivery).await.unwrap().unwrap();
    assert_eq!(worker.dispatch(owed).await, Ok(DispatchOutcome::NotSent));
}

/// Ends dispatches as a test says, and then accepts; counts them.
#[derive(Default)]
struct Script {
    endings: Mutex<VecDeque<Sent>>,
    asked: AtomicU32,
    /// Moved on with each dispatch, by so many milliseconds.
    clock: Option<(Arc<DevClock>, i64)>,
}

impl Script {
    fn of(endings: &[Sent]) -> Arc<Self> {
        Arc::new(Self { endings: Mutex::new(endings.iter().cloned().collect()), ..Self::default() })
    }

    fn asked(&self) -> u32 {
        self.asked.load(Relaxed)
    }
}

impl Sender for Script {
    fn send<'a>(&'a self, _: &'a Delivery, _: Duration) -> Sending<'a> {
        self.asked.fetch_add(1, Relaxed);
        if let Some((clock, millis)) = &self.clock {
            clock.advance(*millis);
        }
        let ending = self.endings.lock().unwrap().pop_front().unwrap_or(Sent::Accepted(None));
        Box::pin(std::future::ready(ending))
    }
}

fn provider(script: &Arc<Script>) -> Arc<Provider> {
    Arc::new(Provider::new(
        &format!("scripted-{script:p}"),
        Arc::<Script>::clone(script),
        4,
        Patience::default(),
    ))
}

fn busy() -> Sent {
    Sent::Not(Hindrance::Busy, "429".into())
}

impl World {
    fn routed(&self, scripts: &[&Arc<Script>], retry: Duration) -> Worker {
        let providers = scripts.iter().map(|script| provider(script)).collect();
        let routing = Routing::new(vec![Route { prefix: None, providers }], retry);
        Worker::new(self.app.clone(), routing, Arc::new(()))
    }

    /// Opens a challenge and sends its message; says how that ended.
    async fn send(&self, worker: &Worker) -> Option<DispatchOutcome> {
        self.owe().await;
        let owed = self.app.store().query(store::queries::OldestUnsettledDelivery).await.unwrap().unwrap();
        worker.dispatch(owed).await.ok()
    }
}

#[tokio::test]
async fn w11_fault_14_only_what_surely_was_not_sent_goes_to_the_next_provider() {
    use DispatchOutcome::{Accepted, NotSent, RejectedNumber, Unknown};
    let cause = String::new;
    for (first, outcome, second_asked) in [
        (Sent::Accepted(None), Accepted, 0),
        (Sent::Unknown(cause()), Unknown, 0),
        (Sent::RejectedNumber(cause()), RejectedNumber, 0),
        (busy(), Accepted, 1),
        (Sent::Not(Hindrance::Declined, cause()), Accepted, 1),
        (Sent::Not(Hindrance::Unusable, cause()), Accepted, 1),
    ] {
        let world = world().await;
        let (one, two) = (Script::of(std::slice::from_ref(&first)), Script::of(&[]));
        let worker = world.routed(&[&one, &two], Duration::ZERO);
        assert_eq!(world.send(&worker).await, Some(outcome), "{first:?}");
        assert_eq!((one.asked(), two.asked()), (1, second_asked), "{first:?}");
    }
    let world = world().await;
    let (one, two) = (Script::of(&[busy()]), Script::of(&[busy()]));
    assert_eq!(world.send(&world.routed(&[&one, &two], Duration::ZERO)).await, Some(NotSent));
}

#[tokio::test]
async fn w11_what_nobody_can_take_now_is_tried_again_but_not_where_it_was_declined() {
    let world = world().await;
    let one = Script::of(&[busy(), busy()]);
    let two = Script::of(&[Sent::Not(Hindrance::Declined, String::new())]);
    let worker = world.routed(&[&two, &one], Duration::from_secs(20));
    assert_eq!(world.send(&worker).await, Some(DispatchOutcome::Accepted));
    assert_eq!((one.asked(), two.asked()), (3, 1));
}

#[tokio::test]
async fn w11_a_message_is_not_tried_again_once_its_challenge_is_over() {
    let world = world().await;
    let clock = Some((Arc::clone(&world.clock), 600_000));
    let one = Arc::new(Script { endings: Mutex::new(vec![busy(); 9].into()), clock, ..Script::default() });
    let worker = world.routed(&[&one], Duration::from_secs(20));
    assert_eq!(world.send(&worker).await, Some(DispatchOutcome::NotSent));
    assert_eq!(one.asked(), 1);
}

#[tokio::test]
async fn w11_a_message_that_another_node_has_settled_meanwhile_is_not_dispatched_by_us() {
    let world = world().await;
    let clock = Some((Arc::clone(&world.clock), 60_000));
    let one = Arc::new(Script { endings: Mutex::new(vec![busy(); 4].into()), clock, ..Script::default() });
    let worker = world.routed(&[&one], Duration::from_secs(20));
    let other = world.worker(Arc::new(NoSender));
    let (told, ()) = tokio::join!(world.send(&worker), async {
        while one.asked() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(other.sweep().await.unwrap(), 0);
    });
    assert_eq!(told, None, "it is not ours to tell");
    assert!(one.asked() < 5, "it was given up before it would have been accepted");
    assert_eq!(world.outcomes(1).await, [r#"{"outcome":"unknown"}"#]);
}

#[tokio::test]
async fn a_resend_to_the_same_number_swaps_the_provider() {
    let world = world().await;
    let (one, two) = (Script::of(&[Sent::Unknown(String::new())]), Script::of(&[]));
    let worker = world.routed(&[&one, &two], Duration::ZERO);
    for asked in [(1, 0), (1, 1), (2, 1), (2, 2)] {
        world.send(&worker).await.unwrap();
        assert_eq!((one.asked(), two.asked()), asked);
    }
}

#[tokio::test]
async fn a_provider_with_refused_credentials_is_asked_last_from_then_on() {
    let world = world().await;
    let one = Script::of(&[Sent::Not(Hindrance::Unusable, "401".into())]);
    let two = Script::of(&[Sent::Accepted(None), busy()]);
    let worker = world.routed(&[&one, &two], Duration::ZERO);
    for asked in [(1, 1), (2, 2)] {
        assert_eq!(world.send(&worker).await, Some(DispatchOutcome::Accepted));
        assert_eq!((one.asked(), two.asked()), asked);
    }
}

#[tokio::test]
async fn the_longest_prefix_that_a_number_begins_with_decides_who_is_asked() {
    let world = world().await;
    let scripts = [Script::of(&[]), Script::of(&[]), Script::of(&[])];
    let [any, country, city] = &scripts;
    let route = |prefix: Option<&str>, script: &Arc<Script>| Route {
        prefix: prefix.map(|text| domain::phone::Prefix::parse(text).unwrap()),
        providers: vec![provider(script)],
    };
    let routes = |with_any: bool| {
        let mut routes =
            vec![route(Some("+1415"), city), route(Some("+1"), country), route(Some("+44"), any)];
        routes.extend(with_any.then(|| route(None, any)));
        Worker::new(world.app.clone(), Routing::new(routes, Duration::ZERO), Arc::new(()))
    };
    assert_eq!(world.send(&routes(true)).await, Some(DispatchOutcome::Accepted));
    assert_eq!(scripts.each_ref().map(|script| script.asked()), [0, 0, 1]);
    let nobody = Routing::new(vec![route(Some("+44"), any)], Duration::ZERO);
    let worker = Worker::new(world.app.clone(), nobody, Arc::new(()));
    assert_eq!(world.send(&worker).await, Some(DispatchOutcome::NotSent));
}
