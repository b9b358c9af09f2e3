//! The open model: requests arrive at a fixed rate, whether the last ones were answered or not, as they do
//! when many callers share a server. Each latency counts from the moment the request was due, so a server
//! that makes the generator wait cannot hide it.
//!
//! First a calm closed loop finds the peak; then the arrivals; then half the peak, to see how long the server
//! takes to be itself again. Measured (F72): goodput, the time of a refusal, recovery.
use crate::{
    closed::{Bench, End, Item, Op, ask, phase},
    report::Report,
};
use loadgen::{args::Args, procfs, stats::Latencies, wire::Refusal};
use serde_json::json;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::LocalSet, time::timeout};

/// No arrival waits longer than this in the generator, and no answer is waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Recovery is looked for in steps of this.
const WINDOW: Duration = Duration::from_millis(250);
/// After the overload, an answer slower than this is not yet normal.
const NORMAL_MS: f64 = 50.0;

#[derive(Default)]
struct Tally {
    good: Latencies,
    refused: Latencies,
    broken: u64,
    first_trouble: Option<String>,
    /// For each span of [`WINDOW`], by when they were due: how many requests, and how many of them were refused, broken or
    /// slow.
    windows: Vec<(u32, u32)>,
}

impl Tally {
    fn saw(&mut self, due: Duration, bad: bool) {
        let nth = usize::try_from(due.as_millis() / WINDOW.as_millis()).unwrap_or(usize::MAX);
        if self.windows.len() <= nth {
            self.windows.resize(nth.min(10_000) + 1, (0, 0));
        }
        if let Some((all, bad_ones)) = self.windows.get_mut(nth) {
            *all += 1;
            *bad_ones += u32::from(bad);
        }
    }

    /// The start of the first window in which 99 of 100 requests are answered as on a calm day.
    fn normal_after(&self) -> Duration {
        let normal = self.windows.iter().position(|(all, bad)| *all > 0 && bad * 100 <= *all);
        WINDOW * u32::try_from(normal.unwrap_or(self.windows.len())).unwrap_or(u32::MAX)
    }
}

struct Load {
    bench: Rc<Bench>,
    op: Op,
    factors: Vec<Item>,
    due: RefCell<VecDeque<Instant>>,
    arrived: Notify,
    closed: Cell<bool>,
    tally: RefCell<Tally>,
    start: Instant,
}

impl Load {
    /// Drops the requests that have been due for longer than `wait`, and returns how many they were.
    fn give_up_after(&self, wait: Duration) -> u64 {
        let mut due = self.due.borrow_mut();
        let before = due.len();
        while due.front().is_some_and(|at| at.elapsed() > wait) {
            due.pop_front();
        }
        (before - due.len()) as u64
    }
}

/// One stretch of arrivals.
struct Stretch {
    offered: u64,
    sent_late: u64,
    wall_s: f64,
    tally: Tally,
}

pub(crate) async fn run(
    args: &Args,
    bench: &Rc<Bench>,
    report: &mut Report,
    sync_us: f64,
) -> Result<(), String> {
    let op = match args.text("op").unwrap_or("challenge") {
        "enroll" => Op::Enroll,
        "challenge" => Op::Challenge,
        other => return Err(format!("--op {other}: only enroll and challenge can be repeated without end")),
    };
    let seconds = Duration::from_secs(args.get("seconds", 10u64)?.clamp(1, 600));
    let sockets = args.get("sockets", 1280usize)?.clamp(1, 4096);
    let (factors, _) = phase(bench, Op::Enroll, vec![Item::default(); 2000], 64, 0).await;
    let peak = peak(bench, op, &factors).await;
    let text = args.text("open").unwrap_or("5x");
    let rate = match text.strip_suffix('x') {
        Some(times) => times.parse::<f64>().map(|t| t * peak),
        None => text.parse(),
    };
    let rate = rate.map_err(|e| format!("--open {text}: {e}"))?.clamp(1.0, 1e6);

    let before = (procfs::usage(bench.server_pid).cpu_s, procfs::own_cpu_s());
    let mut over = stretch(bench, op, &factors, rate, seconds, sockets).await;
    let cpu = (procfs::usage(bench.server_pid).cpu_s - before.0, procfs::own_cpu_s() - before.1);
    let [server, own] = [cpu.0, cpu.1].map(|s| s / over.wall_s * 100.0);
    let mut calm = stretch(bench, op, &factors, peak / 2.0, Duration::from_secs(8), sockets).await;
    let goodput = over.tally.good.count() as f64 / over.wall_s;
    let asked = (over.offered - over.sent_late) as f64 / over.wall_s;
    let normal_s = calm.tally.normal_after().as_secs_f64();
    let refusals = over.tally.refused.count();
    let [refusal_p50, refusal_p99, refusal_max] = [0.5, 0.99, 1.0].map(|q| over.tally.refused.quantile_ms(q));
    let [good_p50, good_p99] = [0.5, 0.99].map(|q| over.tally.good.quantile_ms(q));
    let calm_p99 = calm.tally.good.quantile_ms(0.99);
    println!(
        "{} open {}: peak {peak:.0}/s; offered {rate:.0}/s, sent {asked:.0}/s; good {goodput:.0}/s = {:.2} of peak \
         (p50 {good_p50:.1} ms, p99 {good_p99:.1} ms); refused {refusals} (p50 {refusal_p50:.1}, p99 {refusal_p99:.1}, \
         max {refusal_max:.1} ms); broken {}; normal again after {normal_s:.2} s (p99 then {calm_p99:.1} ms); server {server:.0} %, generator {own:.0} %; sync {sync_us:.0} µs",
        report.name(),
        op.name(),
        goodput / peak,
        over.tally.broken
    );
    for trouble in [over.tally.first_trouble, calm.tally.first_trouble].into_iter().flatten() {
        println!("  first trouble: {trouble}");
    }
    if asked < 0.9 * rate {
        println!(
            "  the generator could not send all it was asked to: read {:.1} times the peak",
            asked / peak
        );
    }
    report.json_line(json!({
        "name": report.name(), "op": format!("open {}", op.name()), "peak_per_s": peak, "offered_per_s": rate,
        "sent_per_s": asked, "good_per_s": goodput, "good_p50_ms": good_p50, "good_p99_ms": good_p99,
        "refused": refusals, "refusal_p50_ms": refusal_p50, "refusal_p99_ms": refusal_p99,
        "refusal_max_ms": refusal_max, "broken": over.tally.broken, "normal_after_s": normal_s,
        "calm_p99_ms": calm_p99, "server_cpu_pct": server, "generator_cpu_pct": own, "sync_us": sync_us,
    }));
    Ok(())
}

/// The best of three times what a closed loop over 64 connections reaches, per second: the peak is what goodput is
/// measured against, so a bad moment of the machine must not lower it.
async fn peak(bench: &Rc<Bench>, op: Op, factors: &[Item]) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..3 {
        let items: Vec<Item> = factors.iter().cycle().take(factors.len() * 5).cloned().collect();
        let (_, figures) = phase(bench, op, items, 64, 0).await;
        best = best.max(figures.latencies.count() as f64 / figures.wall_s.max(1e-9));
    }
    best
}

async fn stretch(
    bench: &Rc<Bench>,
    op: Op,
    factors: &[Item],
    rate: f64,
    length: Duration,
    sockets: usize,
) -> Stretch {
    let load = Rc::new(Load {
        bench: bench.clone(),
        op,
        factors: factors.to_vec(),
        due: RefCell::default(),
        arrived: Notify::new(),
        closed: Cell::new(false),
        tally: RefCell::default(),
        start: Instant::now(),
    });
    let tasks = LocalSet::new();
    for nth in 0..sockets {
        tasks.spawn_local(caller(load.clone(), nth));
    }
    let arrivals = tasks.run_until(arrive(&load, rate, length)).await;
    // Closing wakes every caller: those with nothing left to send end, the others finish first.
    load.closed.set(true);
    load.arrived.notify_waiters();
    tasks.await;
    let tally = load.tally.take();
    Stretch { offered: arrivals.0, sent_late: arrivals.1, wall_s: length.as_secs_f64(), tally }
}

/// Lets requests fall due, and returns how many did and how many were never sent.
async fn arrive(load: &Load, rate: f64, length: Duration) -> (u64, u64) {
    let (mut offered, mut dropped) = (0u64, 0u64);
    while load.start.elapsed() < length {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and bounded")]
        let by_now = (load.start.elapsed().as_secs_f64() * rate) as u64;
        while offered < by_now {
            load.due.borrow_mut().push_back(load.start + Duration::from_secs_f64(offered as f64 / rate));
            load.arrived.notify_one();
            offered += 1;
        }
        // What has waited for a free connection for a second is not sent any more: the generator's queue has
        // a bound, too, and a caller would have given up.
        dropped += load.give_up_after(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    dropped += load.due.borrow().len() as u64;
    load.due.borrow_mut().clear();
    (offered, dropped)
}

async fn caller(load: Rc<Load>, nth: usize) {
    let mut conn = load.bench.api.conn();
    let mut item_at = nth * 7;
    loop {
        let Some(due) = load.due.borrow_mut().pop_front() else {
            if load.closed.get() {
                return;
            }
            load.arrived.notified().await;
            continue;
        };
        item_at += 1;
        let mut item = load.factors.get(item_at % load.factors.len().max(1)).cloned().unwrap_or_default();
        let sent = Instant::now();
        let end = timeout(PATIENCE, ask(&load.bench.api, &mut conn, load.op, &mut item, 0)).await;
        let took = due.elapsed();
        let mut tally = load.tally.borrow_mut();
        let good = matches!(end, Ok(End::Done));
        tally.saw(due - load.start, !good || took.as_secs_f64() * 1000.0 > NORMAL_MS);
        match end {
            Ok(End::Done) => tally.good.push(took),
            // How long the server took to say no; waiting for a free connection is not its doing.
            Ok(End::Refused(Refusal::Busy)) => tally.refused.push(sent.elapsed()),
            bad => {
                tally.broken += 1;
                let why = match bad {
                    Ok(End::Refused(other)) => format!("{other:?}"),
                    Ok(End::Broken(why)) => why,
                    _ => "no answer within 5 s".into(),
                };
                tally.first_trouble.get_or_insert(why);
                conn = load.bench.api.conn();
            }
        }
    }
}
