//! The closed loop: N connections, each asking as soon as it is answered. Enroll, challenge and verify are
//! phases of their own, so each request has its own figures.
use loadgen::{
    clock,
    http::Conn,
    procfs,
    stats::Latencies,
    totp,
    wire::{Api, Factor, Refusal},
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::task::LocalSet;

/// One of the three requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Enroll,
    Challenge,
    Verify,
}

impl Op {
    pub(crate) const ALL: [Op; 3] = [Op::Enroll, Op::Challenge, Op::Verify];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Op::Enroll => "enroll",
            Op::Challenge => "challenge",
            Op::Verify => "verify",
        }
    }
}

/// One factor on its way through the flow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    pub(crate) factor: Option<Factor>,
    pub(crate) challenge: String,
}

/// How a request ended.
pub(crate) enum End {
    Done,
    /// Refused by name; a wrong verdict for a right code is one too.
    Refused(Refusal),
    Broken(String),
}

/// Sends the request `op` for `item`. `ahead_s` is how far the server's clock is ahead of ours.
pub(crate) async fn ask(api: &Api, conn: &mut Conn, op: Op, item: &mut Item, ahead_s: u64) -> End {
    let ended = |r: Result<(), Refusal>| r.map_or_else(End::Refused, |()| End::Done);
    let reply = match (op, &item.factor) {
        (Op::Enroll, _) => api.enroll(conn, None).await.map(|r| r.map(|f| item.factor = Some(f))),
        (Op::Challenge, Some(f)) => api.challenge(conn, &f.id).await.map(|r| r.map(|c| item.challenge = c)),
        (Op::Verify, Some(f)) => {
            let step = clock::step_at(clock::unix_millis() + ahead_s * 1000);
            let Some(code) = totp::code(&f.secret, step) else {
                return End::Broken("secret is not Base32".into());
            };
            let verdict = api.verify(conn, &item.challenge, &code).await;
            verdict
                .map(|r| r.and_then(|v| if v { Ok(()) } else { Err(Refusal::Other("valid: false".into())) }))
        }
        (_, None) => return End::Broken("no factor".into()),
    };
    reply.map_or_else(|e| End::Broken(e.to_string()), ended)
}

/// The figures of one phase.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    pub(crate) latencies: Latencies,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    pub(crate) first_trouble: Option<String>,
    pub(crate) wall_s: f64,
    pub(crate) server_cpu_s: f64,
    pub(crate) own_cpu_s: f64,
    pub(crate) database_cpu_s: f64,
    pub(crate) others_cpu_s: f64,
    pub(crate) rss_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Phase {
    /// Adds another phase of the same request; memory is the later one's.
    pub(crate) fn absorb(&mut self, mut other: Phase) {
        self.latencies.append(&mut other.latencies);
        self.refused += other.refused;
        self.broken += other.broken;
        self.first_trouble = self.first_trouble.take().or(other.first_trouble);
        self.wall_s += other.wall_s;
        self.server_cpu_s += other.server_cpu_s;
        self.own_cpu_s += other.own_cpu_s;
        self.database_cpu_s += other.database_cpu_s;
        self.others_cpu_s += other.others_cpu_s;
        (self.rss_kib, self.peak_kib) = (other.rss_kib, other.peak_kib);
    }
}

/// What a phase runs against, and its bound in time.
pub(crate) struct Bench {
    pub(crate) api: Api,
    pub(crate) server_pid: u32,
    /// The database server beside it, if there is one.
    pub(crate) database_pid: Option<u32>,
    pub(crate) max: Duration,
}

#[derive(Default)]
struct Work {
    todo: VecDeque<Item>,
    done: Vec<Item>,
    phase: Phase,
}

/// Runs `op` once for each of `items` over `conns` connections and returns those that came through.
pub(crate) async fn phase(
    bench: &Rc<Bench>,
    op: Op,
    items: Vec<Item>,
    conns: usize,
    ahead_s: u64,
) -> (Vec<Item>, Phase) {
    let work = Rc::new(RefCell::new(Work { todo: items.into(), ..Work::default() }));
    // Connections stand before the clock starts: their set-up is not what is measured.
    let mut open = Vec::new();
    for _ in 0..conns {
        let mut conn = bench.api.conn();
        if let Err(e) = conn.open().await {
            work.borrow_mut().phase.first_trouble = Some(format!("connect: {e}"));
        }
        open.push(conn);
    }
    let database_cpu_s = || bench.database_pid.map_or(0.0, procfs::family_cpu_s);
    let before = (
        procfs::usage(bench.server_pid).cpu_s,
        procfs::own_cpu_s(),
        procfs::machine_busy_s(),
        database_cpu_s(),
    );
    let start = Instant::now();
    let tasks = LocalSet::new();
    for conn in open {
        tasks.spawn_local(one_connection(bench.clone(), work.clone(), op, conn, start, ahead_s));
    }
    tasks.await;
    let wall_s = start.elapsed().as_secs_f64();
    let after =
        (procfs::usage(bench.server_pid), procfs::own_cpu_s(), procfs::machine_busy_s(), database_cpu_s());
    let mut work = work.take();
    let phase = &mut work.phase;
    phase.wall_s = wall_s;
    phase.server_cpu_s = after.0.cpu_s - before.0;
    phase.own_cpu_s = after.1 - before.1;
    phase.database_cpu_s = after.3 - before.3;
    let known = phase.server_cpu_s + phase.own_cpu_s + phase.database_cpu_s;
    phase.others_cpu_s = (after.2 - before.2 - known).max(0.0);
    (phase.rss_kib, phase.peak_kib) = (after.0.rss_kib, after.0.peak_kib);
    (work.done, work.phase)
}

async fn one_connection(
    bench: Rc<Bench>,
    work: Rc<RefCell<Work>>,
    op: Op,
    mut conn: Conn,
    start: Instant,
    ahead_s: u64,
) {
    while start.elapsed() < bench.max {
        let Some(mut item) = work.borrow_mut().todo.pop_front() else { break };
        let at = Instant::now();
        let end = ask(&bench.api, &mut conn, op, &mut item, ahead_s).await;
        let took = at.elapsed();
        let mut work = work.borrow_mut();
        work.phase.latencies.push(took);
        let trouble = match end {
            End::Done => {
                work.done.push(item);
                continue;
            }
            End::Refused(refusal) => {
                work.phase.refused += 1;
                format!("{refusal:?}")
            }
            End::Broken(why) => {
                work.phase.broken += 1;
                why
            }
        };
        work.phase.first_trouble.get_or_insert(trouble);
        // A server that only refuses gives no figures; do not load it for nothing.
        if work.phase.broken + work.phase.refused > 500 {
            work.todo.clear();
        }
    }
}
