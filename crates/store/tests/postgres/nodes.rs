//! Several nodes on one database, and connections that break.

use crate::laws::common::{House, noon, operator, word};
use crate::store::{
    Failure, Step, Store, Tx,
    columns::Param,
    postgres::Options,
    remembered::{Answer, Memory, Recalled, Remembering, Rendered},
    statements::{CHARGE_USER, OPEN_USER_BUDGET},
    steps::{enroll_factor::EnrollFactor, touch::Touch},
};
use domain::{factor::FactorKind, id::FactorId, refusal::Refusal, user_id::UserId};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UnixStream},
    task::JoinSet,
};

/// Another node on the database of a house.
pub(crate) async fn another(house: &House) -> Store {
    let store = Store::open_postgres(house.bench.options(), noon()).await.unwrap();
    store.begin_trail(house.ring.clone()).unwrap();
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f06_a_right_code_handed_to_four_nodes_at_once_is_right_once() {
    let house = House::new().await;
    let mut nodes = vec![house.store.clone()];
    for _ in 0..3 {
        nodes.push(another(&house).await);
    }
    let mut factors = Vec::new();
    for n in 0..20 {
        let factor = house.totp(Some(&format!("user-{n}"))).await;
        let challenges = [house.challenge(factor.id).await, house.challenge(factor.id).await];
        factors.push((factor, challenges));
    }
    // All factors at once on all nodes, so that batches of several factors meet each other.
    let mut running = JoinSet::new();
    for n in 0..12 {
        for (f, (factor, challenges)) in factors.iter().enumerate() {
            let step = house.answering(challenges[n % 2], factor.code(noon()), noon());
            let node = nodes[(n + f) % nodes.len()].clone();
            running.spawn(async move { (f, word(&node.step(step).await)) });
        }
    }
    let mut counts: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
    while let Some(told) = running.join_next().await {
        let (f, told) = told.unwrap();
        *counts.entry(f).or_default().entry(told).or_default() += 1;
    }
    for told in counts.values() {
        assert_eq!(told.get("TRUE"), Some(&1), "{counts:?}");
    }
    let (entries, broken_at) = house.trail().await;
    assert_eq!(broken_at, None, "one chain, whoever writes it");
    assert_eq!(entries.iter().filter(|e| e.kind == "verification.succeeded").count(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn f16_the_budget_of_a_user_holds_over_all_factors_and_nodes() {
    let house = House::new().await;
    let nodes = [house.store.clone(), another(&house).await];
    let mut running = JoinSet::new();
    for n in 0..10 {
        let factor = house.totp(Some("ada")).await;
        let challenge = house.challenge(factor.id).await;
        for m in 0..5 {
            let step = house.answering(challenge, factor.wrong(noon()), noon());
            let node = nodes[(n + m) % 2].clone();
            running.spawn(async move { word(&node.step(step).await) });
        }
    }
    let told = running.join_all().await;
    assert_eq!(told.iter().filter(|t| **t == "FALSE").count(), 20, "{told:?}");
    assert_eq!(told.iter().filter(|t| **t == "LOCKED").count(), 30, "{told:?}");
}

#[derive(Clone, Default)]
struct Counted(Arc<AtomicU32>);

impl Step for Counted {
    type Out = u32;

    async fn run<T: Tx>(&self, _: &mut T) -> Result<u32, Failure> {
        Ok(self.0.fetch_add(1, Relaxed) + 1)
    }
}

fn finally(n: &u32) -> Rendered {
    Rendered::Final(Answer { status: 201, body: n.to_string().into_bytes() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w7_equal_requests_to_two_nodes_at_once_run_their_step_once() {
    let house = House::new().await;
    let nodes = [house.store.clone(), another(&house).await];
    let counted = Counted::default();
    let mut running = JoinSet::new();
    // Each node has its connections before it comes to that.
    for node in nodes.iter().cycle().take(40) {
        let node = node.clone();
        running.spawn(async move { node.step(Touch { now: noon() }).await.is_err() });
    }
    running.join_all().await;
    let mut running = JoinSet::new();
    for n in 0..320 {
        let memory = Memory {
            digest: Arc::new(house.ring.digest("request", &[&[(n / 32) as u8]])),
            scope: house.scope(),
            ring: house.ring.clone(),
            entropy: crate::laws::common::entropy(),
            now: noon(),
        };
        let step = Remembering { step: counted.clone(), render: finally, memory: Some(memory) };
        let node = nodes[n % 2].clone();
        running.spawn(async move { matches!(node.step(step).await.unwrap(), Recalled::Fresh(_)) });
    }
    let fresh = running.join_all().await.into_iter().filter(|fresh| *fresh).count();
    assert_eq!((fresh, counted.0.load(Relaxed)), (10, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w8_two_nodes_enroll_no_more_factors_of_a_user_than_the_limit() {
    let house = House::new().await;
    let nodes = [house.store.clone(), another(&house).await];
    let mut running = JoinSet::new();
    for n in 0..32 {
        let step = EnrollFactor {
            scope: house.scope(),
            actor: operator(),
            now: noon(),
            id: FactorId::from_bytes(house.mint(noon())),
            kind: FactorKind::GenericOtp,
            user: Some(UserId::parse("ada").unwrap()),
            label: None,
            sealed: None,
            factors_max: Some(10),
            for_tests: false,
            challenge: None,
        };
        let node = nodes[n % 2].clone();
        running.spawn(async move { node.step(step).await.unwrap() });
    }
    let told = running.join_all().await;
    assert_eq!(told.iter().filter(|t| t.is_ok()).count(), 10);
    assert_eq!(told.iter().filter(|t| **t == Err(Refusal::FactorLimitReached)).count(), 22);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn steps_on_one_factor_wait_for_each_other_in_one_order_and_never_in_a_circle() {
    let house = House::new().await;
    let nodes = [house.store.clone(), another(&house).await];
    let factor = house.totp(Some("ada")).await;
    let mut challenges = Vec::new();
    for _ in 0..10 {
        challenges.push(house.challenge(factor.id).await);
    }
    let mut running = JoinSet::new();
    for n in 0..200 {
        let answer = house.answering(challenges[n * 7 % 10], factor.wrong(noon()), noon());
        let open = house.opening(house.scope(), factor.id, noon());
        let node = nodes[n % 2].clone();
        running.spawn(async move {
            drop(node.step(open).await);
            word(&node.step(answer).await)
        });
    }
    let told = running.join_all().await;
    assert!(told.iter().all(|t| ["FALSE", "EXPIRED", "LOCKED", "BUSY", "GONE"].contains(t)), "{told:?}");
    for node in nodes {
        let figures = node.figures();
        assert_eq!((figures.regrouped.load(Relaxed), figures.repeated.load(Relaxed)), (0, 0));
    }
}

/// Writes users in an order of its own: two of them wait in a circle, which is the server's to find.
struct Crosses {
    environment: [u8; 16],
    users: Vec<String>,
}

impl Step for Crosses {
    type Out = ();

    async fn run<T: Tx>(&self, tx: &mut T) -> Result<(), Failure> {
        for user in &self.users {
            let row = [Param::Bytes(&self.environment), Param::Text(user), Param::Bytes(&[])];
            tx.exec(&CHARGE_USER, &row).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_the_server_rolls_back_for_the_sake_of_others_is_run_again() {
    let house = House::new().await;
    let environment = *house.ours.id.bytes();
    let mut users: Vec<_> = (0..60).map(|n| format!("user-{n}")).collect();
    for user in &users {
        let params = [Param::Bytes(&environment), Param::Text(user), Param::Bytes(&[])];
        house.edit(OPEN_USER_BUDGET.sql, &params).await;
    }
    for _ in 0..20 {
        let mut running = JoinSet::new();
        for _ in 0..2 {
            let (store, users_now) = (house.store.clone(), users.clone());
            running.spawn(async move { store.step(Crosses { environment, users: users_now }).await });
            users.reverse();
        }
        for told in running.join_all().await {
            told.unwrap();
        }
        if house.store.figures().repeated.load(Relaxed) > 0 {
            return;
        }
    }
    panic!("they never met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_killed_costs_at_most_the_steps_on_it() {
    let house = House::new().await;
    let factor = house.totp(None).await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'countersign'";
    assert!(house.count(kill).await > 0);
    // The news may be on its way still: busy is an answer, anything else is not.
    let mut told = house.store.step(Touch { now: noon() }).await;
    for _ in 0..20 {
        if told.is_ok() {
            break;
        }
        assert!(matches!(told, Err(Failure::Busy(_))), "{told:?}");
        told = house.store.step(Touch { now: noon() }).await;
    }
    told.unwrap();
    let challenge = house.challenge(factor.id).await;
    assert_eq!(house.told(challenge, factor.code(noon()), noon()).await, "TRUE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_9_a_database_without_a_free_connection_is_busy_and_recovers() {
    let house = House::new().await;
    let url = format!("{}?pool_size=2", house.bench.url());
    let small = Store::open_postgres(Options::parse(&url, None).unwrap(), noon()).await.unwrap();
    small.step(Touch { now: noon() }).await.unwrap();
    let locks = house.bench.direct().await;
    locks.batch_execute("BEGIN; UPDATE heartbeat SET at = 0").await.unwrap();
    let mut running = JoinSet::new();
    for _ in 0..5 {
        let small = small.clone();
        running.spawn(async move { small.step(Touch { now: noon() }).await });
    }
    let told = running.join_all().await;
    assert!(told.iter().all(|t| matches!(t, Err(Failure::Busy(_)))), "{told:?}");
    assert!(small.figures().pool_refused.load(Relaxed) >= 3, "two wait for the lock, three for a connection");
    locks.batch_execute("ROLLBACK").await.unwrap();
    small.step(Touch { now: noon() }).await.unwrap();
    assert_eq!(small.figures().pool_in_use.load(Relaxed), 0);
}

/// What becomes of a connection at its COMMIT.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Before,
    /// The server has seen it.
    After,
    /// The server sees its end and the store sees nothing.
    Silent,
}

/// Between the store and the server: at a COMMIT it cuts the connection, as often as it is armed.
async fn cutting_proxy(house: &House, armed: Arc<AtomicU32>, cut: Cut) -> String {
    let url = house.bench.url();
    let (_, rest) = url.split_once('@').unwrap();
    let (folder, database) = rest.split_once('/').unwrap();
    let socket = format!("{}/.s.PGSQL.5432", folder.replace("%2F", "/"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxied =
        format!("postgres://countersign@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&socket).await.unwrap();
            let armed = Arc::clone(&armed);
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let back = tokio::spawn(async move {
                    drop(tokio::io::copy(&mut from_server, &mut to_client).await);
                    if cut == Cut::Silent {
                        std::future::pending::<()>().await;
                    }
                });
                let mut buffer = vec![0; 65_536];
                while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
                    let sent = &buffer[..n];
                    let cuts = armed.load(Relaxed) > 0 && sent.windows(6).any(|w| w == b"COMMIT");
                    if cuts {
                        armed.fetch_sub(1, Relaxed);
                        if cut == Cut::Silent {
                            drop(to_server);
                            return std::future::pending().await;
                        }
                        back.abort();
                        if cut == Cut::After {
                            to_server.write_all(sent).await.unwrap();
                            // The server has it before the connection ends.
                            tokio::time::sleep(Duration::from_millis(300)).await;
                        }
                        return;
                    }
                    to_server.write_all(sent).await.unwrap();
                }
            });
        }
    });
    proxied
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_commit_that_is_not_confirmed_is_no_success_whether_it_came_about_or_not() {
    for cut in [Cut::Before, Cut::After] {
        let house = House::new().await;
        let factor = house.totp(None).await;
        let challenge = house.challenge(factor.id).await;
        let armed = Arc::new(AtomicU32::new(0));
        let url = cutting_proxy(&house, Arc::clone(&armed), cut).await;
        let node = Store::open_postgres(Options::parse(&url, None).unwrap(), noon()).await.unwrap();
        node.begin_trail(house.ring.clone()).unwrap();
        armed.store(1, Relaxed);
        let told = node.step(house.answering(challenge, factor.code(noon()), noon())).await;
        assert_eq!(word(&told), "BUSY");
        assert_eq!(armed.load(Relaxed), 0, "the proxy has cut: {told:?}");
        assert_eq!(node.figures().failed_commits.load(Relaxed), 1);
        // What is true is what the database says, and the same node learns it.
        let told = if cut == Cut::After { "VERIFIED" } else { "TRUE" };
        let again = node.step(house.answering(challenge, factor.code(noon()), noon())).await;
        assert_eq!(word(&again), told);
    }
}

/// Silence on as many connections as answers have batches must not be the end of all answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_9_a_server_that_falls_silent_holds_up_nobody_for_ever() {
    const SILENT: u32 = 2;
    let house = House::new().await;
    let armed = Arc::new(AtomicU32::new(0));
    let url = cutting_proxy(&house, Arc::clone(&armed), Cut::Silent).await;
    let node = Store::open_postgres(Options::parse(&url, None).unwrap(), noon()).await.unwrap();
    node.begin_trail(house.ring.clone()).unwrap();
    armed.store(SILENT, Relaxed);
    let mut asked = 0;
    while armed.load(Relaxed) > 0 {
        let factor = house.totp(None).await;
        let challenge = house.challenge(factor.id).await;
        let (asked_of, step) = (node.clone(), house.answering(challenge, factor.code(noon()), noon()));
        tokio::spawn(async move { asked_of.step(step).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        asked += 1;
        assert!(asked < 100, "{} connections were never silenced", armed.load(Relaxed));
    }
    let factor = house.totp(None).await;
    let challenge = house.challenge(factor.id).await;
    let told = async || word(&node.step(house.answering(challenge, factor.code(noon()), noon())).await);
    let mut words = vec![told().await];
    while words.len() < 4 && words.last() == Some(&"BUSY") {
        words.push(told().await);
    }
    assert!(matches!(words.last(), Some(&"TRUE" | &"VERIFIED")), "{words:?}");
}
