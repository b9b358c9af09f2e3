//! Steps that run together: one that breaks does not harm its neighbours, and leaves nothing behind.

use crate::bench::Bench;
use crate::laws::common::{House, noon, operator};
use crate::store::{
    Failure, Step, Tx,
    columns::Param,
    statements::{CHARGE_USER, OPEN_USER_BUDGET},
    step::Company,
};
use domain::event::{Event, EventKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Well,
    Err,
    Panic,
    Constraint,
    Waits,
}

/// Writes a row and an event, then ends as it is told to.
pub(crate) struct Writes {
    pub(crate) environment: [u8; 16],
    pub(crate) name: String,
    pub(crate) ending: Ending,
}

impl Step for Writes {
    type Out = String;

    const COMPANY: Company = Company::Answering;

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<String, Failure> {
        let row = [Param::Bytes(&self.environment), Param::Text(&self.name), Param::Bytes(&[])];
        tx.exec(&OPEN_USER_BUDGET, &row).await?;
        let kind = EventKind::EnvironmentCreated(self.name.clone());
        let actor = operator();
        tx.record(Event {
            at: noon(),
            environment: None,
            actor,
            kind,
            factor: None,
            challenge: None,
            user: None,
        });
        match self.ending {
            Ending::Well => Ok(self.name.clone()),
            Ending::Err => Err(Failure::internal("on purpose")),
            Ending::Panic => panic!("on purpose"),
            Ending::Constraint => {
                let null = [row[0], row[1], Param::MaybeBytes(None)];
                tx.exec(&CHARGE_USER, &null).await.map(|_| self.name.clone())
            }
            Ending::Waits => {
                tokio::task::yield_now().await;
                Ok(self.name.clone())
            }
        }
    }
}

/// One of each ending, between such that end well.
pub(crate) const ENDINGS: [Ending; 9] = {
    use Ending::{Constraint, Err, Panic, Waits, Well};
    [Well, Err, Well, Panic, Well, Constraint, Well, Waits, Well]
};

/// What has come of steps with these endings.
pub(crate) async fn only_what_ended_well_was_kept(house: &House, told: Vec<Result<String, Failure>>) {
    for (n, (ending, told)) in ENDINGS.into_iter().zip(told).enumerate() {
        match (ending, told) {
            (Ending::Well, Ok(name)) => assert_eq!(name, format!("step-{n}")),
            (Ending::Well, told) => panic!("step {n}: {told:?}"),
            (_, told) => assert!(matches!(told, Err(Failure::Internal(_))), "step {n}: {told:?}"),
        }
        let kept = house.count(&format!("SELECT count(*) FROM user_budget WHERE user_id = 'step-{n}'")).await;
        assert_eq!(kept, i64::from(ending == Ending::Well), "step {n}");
    }
    assert!(house.store.is_sound());
    // The trail holds the events of those that committed, in an unbroken chain.
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None);
    let names = entries.iter().filter_map(|e| e.detail.as_deref()).filter(|d| d.contains("step-"));
    let mut names: Vec<_> =
        names.map(|d| d.trim_start_matches("{\"name\":\"").trim_end_matches("\"}")).collect();
    names.sort_unstable();
    assert_eq!(names, ["step-0", "step-2", "step-4", "step-6", "step-8"]);
}

#[tokio::test]
async fn i7_a_step_that_breaks_is_rolled_back_whole_and_its_neighbours_commit() {
    let house = House::new().await;
    let mut steps = Vec::new();
    for (n, ending) in ENDINGS.into_iter().enumerate() {
        let step = Writes { environment: *house.ours.id.bytes(), name: format!("step-{n}"), ending };
        let store = house.store.clone();
        steps.push(tokio::spawn(async move { store.step(step).await }));
    }
    let mut told = Vec::new();
    for step in steps {
        told.push(step.await.unwrap());
    }
    only_what_ended_well_was_kept(&house, told).await;
}

#[tokio::test]
async fn i8_without_its_key_the_trail_takes_nothing_and_so_nothing_is_done() {
    let mut bench = Bench::new();
    let store = bench.open().await;
    let step = crate::store::steps::environments::CreateEnvironment {
        now: noon(),
        actor: operator(),
        id: domain::id::EnvironmentId::from_bytes([1; 16]),
        name: "early".into(),
        mode: domain::environment::Mode::Test,
        client_id: "client_early".into(),
    };
    assert!(matches!(store.step(step).await, Err(Failure::Internal(_))));
    let directory = store.query(crate::store::queries::ReadDirectory).await.unwrap();
    assert!(directory.environments.is_empty());
    store.close();
    let touch = crate::store::steps::touch::Touch { now: noon() };
    assert!(matches!(store.step(touch).await, Err(Failure::Busy(_))), "a closed store is busy, not broken");
}
