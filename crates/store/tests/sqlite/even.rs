//! What an outsider must not tell apart runs the same statements, in the same order (I13, F51).

use crate::laws::common::{House, noon, word};
use crate::store::{
    Failure, Query, Reads, Step, Tx, columns::FromRow, columns::Param, queries::FindFactor,
    statement::Statement,
};
use domain::{
    event::Event,
    id::{ChallengeId, FactorId},
};
use secrets::Submitted;
use std::sync::{Arc, Mutex};

/// Notes each statement, with what its parameters weigh, and each entry of the trail.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn statement(&self, statement: &Statement, params: &[Param<'_>]) {
        let weigh = |param: &Param<'_>| match param {
            Param::Int(_) | Param::MaybeInt(Some(_)) => "int".to_owned(),
            Param::Bytes(b) | Param::MaybeBytes(Some(b)) => format!("{} bytes", b.len()),
            Param::Text(t) | Param::MaybeText(Some(t)) => format!("{} characters", t.len()),
            Param::MaybeInt(None) | Param::MaybeBytes(None) | Param::MaybeText(None) => "null".to_owned(),
        };
        let params: Vec<String> = params.iter().map(weigh).collect();
        self.note(format!("{}({})", statement.name, params.join(", ")));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A step or a query whose statements are noted.
struct Noted<S>(S, Notes);

struct NotedTx<'t, T>(&'t mut T, &'t Notes);

impl<T: Reads> Reads for NotedTx<'_, T> {
    async fn one<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> Result<Option<R>, Failure> {
        self.1.statement(statement, params);
        self.0.one(statement, params).await
    }

    async fn many<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<R>, Failure> {
        self.1.statement(statement, params);
        self.0.many(statement, params).await
    }
}

impl<T: Tx> Tx for NotedTx<'_, T> {
    async fn exec(&mut self, statement: &'static Statement, params: &[Param<'_>]) -> Result<u64, Failure> {
        self.1.statement(statement, params);
        self.0.exec(statement, params).await
    }

    fn record(&mut self, event: Event) {
        // An entry of the same kind: its reason is told to the trail alone.
        self.1.note(format!("record({})", event.kind.name()));
        self.0.record(event);
    }
}

impl<S: Step> Step for Noted<S> {
    type Out = S::Out;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<S::Out, Failure> {
        self.0.run(&mut NotedTx(tx, &self.1)).await
    }
}

impl<Q: Query> Query for Noted<Q> {
    type Out = Q::Out;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Q::Out, Failure> {
        self.0.run(&mut NotedTx(reads, &self.1)).await
    }
}

/// What answering a challenge says, and runs.
async fn answered(
    house: &House,
    challenge: ChallengeId,
    submitted: Submitted,
    foreign: bool,
) -> (&'static str, Vec<String>) {
    let notes = Notes::default();
    let mut step = house.answering(challenge, submitted, noon());
    if foreign {
        step.scope = house.foreign_scope();
    }
    let told = house.store.step(Noted(step, notes.clone())).await;
    (word(&told), notes.take())
}

#[tokio::test]
async fn i13_wrong_and_replayed_and_malformed_codes_run_the_same_statements() {
    let house = House::new().await;
    let mut ran = Vec::new();
    let mut right = Vec::new();
    // Each on a factor and a user of its own that have come as far, so that all find the same state.
    for (n, user) in ["user-0", "user-1", "user-2"].into_iter().enumerate() {
        let factor = house.totp(Some(user)).await;
        let (told, statements) =
            answered(&house, house.challenge(factor.id).await, factor.code(noon()), false).await;
        assert_eq!(told, "TRUE");
        right = statements;
        let codes = [factor.wrong(noon()), factor.code(noon()), Submitted::parse("no code")];
        let submitted = codes.into_iter().nth(n).unwrap();
        let (told, statements) = answered(&house, house.challenge(factor.id).await, submitted, false).await;
        assert_eq!(told, "FALSE");
        ran.push(statements);
    }
    assert_eq!(ran[0], ran[1], "a used code");
    assert_eq!(ran[0], ran[2], "a malformed one");
    // A right code reads and writes as much as a wrong one of a factor without a user.
    let lone = house.totp(None).await;
    let challenge = house.challenge(lone.id).await;
    let (_, wrong) = answered(&house, challenge, lone.wrong(noon()), false).await;
    let (told, of_lone) = answered(&house, challenge, lone.code(noon()), false).await;
    assert_eq!((told, of_lone.len()), ("TRUE", wrong.len()), "{of_lone:?} {wrong:?}");
    assert_eq!(right.len(), of_lone.len() + 1, "one more for the user's budget: {right:?}");
}

#[tokio::test]
async fn f51_what_is_refused_is_refused_alike_whatever_the_code() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let used = house.challenge(factor.id).await;
    assert_eq!(answered(&house, used, factor.code(noon()), false).await.0, "TRUE");
    let locked = house.challenge(factor.id).await;
    let spent = house.totp(None).await;
    let over = house.challenge(spent.id).await;
    for _ in 0..5 {
        assert_eq!(answered(&house, over, spent.wrong(noon()), false).await.0, "FALSE");
    }
    let lock =
        format!("UPDATE factor_guard SET locked_until = {} WHERE wrong_in_a_row = 0", noon().millis() + 1);
    house.bench.direct().execute_batch(&lock).unwrap();
    for (challenge, factor, says) in
        [(used, &factor, "VERIFIED"), (locked, &factor, "LOCKED"), (over, &spent, "SPENT")]
    {
        let next = noon().plus_seconds(30);
        let mut ran = Vec::new();
        for submitted in [factor.wrong(noon()), factor.code(next), Submitted::parse("no code")] {
            let (told, statements) = answered(&house, challenge, submitted, false).await;
            assert_eq!(told, says);
            ran.push(statements);
        }
        assert!(ran.iter().all(|statements| *statements == ran[0]), "{says}: {ran:?}");
    }
}

#[tokio::test]
async fn i13_absent_and_foreign_objects_run_the_same_statements() {
    let house = House::new().await;
    let factor = house.totp(Some("ada")).await;
    let challenge = house.challenge(factor.id).await;
    let (none, no_challenge) =
        (FactorId::from_bytes(house.mint(noon())), ChallengeId::from_bytes(house.mint(noon())));
    let foreign = answered(&house, challenge, factor.code(noon()), true).await;
    let absent = answered(&house, no_challenge, factor.code(noon()), true).await;
    assert_eq!((foreign.0, &foreign), ("GONE", &absent));

    let (mut opened, mut found) = (Vec::new(), Vec::new());
    for id in [factor.id, none] {
        let notes = Notes::default();
        let opening = house.opening(house.foreign_scope(), id, noon());
        assert!(house.store.step(Noted(opening, notes.clone())).await.unwrap().is_err());
        opened.push(notes.take());
        let find = FindFactor { scope: house.foreign_scope(), factor: id, ring: house.ring.clone() };
        assert!(house.store.query(Noted(find, notes.clone())).await.unwrap().is_none());
        found.push(notes.take());
    }
    assert_eq!(opened[0], opened[1]);
    assert_eq!(found[0], found[1]);
    assert!(!opened[0].is_empty() && !found[0].is_empty());
}
