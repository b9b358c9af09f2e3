//! Verifying in a large store: many factors are enrolled, or there already; few of them, drawn at random, are used. What is
//! wanted is the price of the size alone, so two stores of different size get equal numbers of requests.
use crate::{
    closed::{Bench, Item, Op, Phase, phase},
    report::Report,
};
use loadgen::wire::Factor;
use rustix::process::{Pid, Signal, kill_process};
use std::{rc::Rc, time::Duration};

/// How far the server's clock moves between draws, in seconds: out of reach of the window, so that any factor
/// can be drawn again.
const STRIDE_S: u64 = 120;

/// A store, by the server before it.
pub(crate) struct Store {
    pub(crate) bench: Rc<Bench>,
    pub(crate) report: Report,
    pub(crate) factors: Source,
}

/// Where a store's factors come from.
pub(crate) enum Source {
    /// So many are enrolled.
    Enroll(usize),
    /// Some of those that are there are in this file, a line each: id, space, secret.
    Known(String),
}

/// How the stores are visited.
pub(crate) struct Visits {
    /// Draws that are not counted, first: PostgreSQL writes a page whole when it changes for the first time after a checkpoint.
    pub(crate) unseen: usize,
    /// Draws.
    pub(crate) rounds: usize,
    /// How far the clocks of the servers move on before all is done again, in seconds; 0 if it is not.
    pub(crate) then_ahead_s: u64,
    /// Connections of each pass.
    pub(crate) conns: Vec<usize>,
    /// Factors drawn for each round of each pass.
    pub(crate) counts: Vec<usize>,
}

/// Time for a server to begin with what falls due when its clock moves: longer than its purges take turns.
const SETTLE: Duration = Duration::from_secs(12);

/// All stores are filled first. Then each round visits one after the other, so that whatever the machine does meanwhile
/// it does to all of them.
pub(crate) async fn run(
    stores: &mut [Store],
    visits: &Visits,
    probe: &impl Fn() -> Result<f64, String>,
) -> Result<(), String> {
    let mut filled = Vec::new();
    for store in stores.iter() {
        let factors = match &store.factors {
            Source::Enroll(n) => enroll(&store.bench, *n).await?,
            Source::Known(file) => known(file)?,
        };
        println!("{}: {} factors to draw from", store.report.name(), factors.len());
        filled.push(factors);
    }
    let (mut draws, mut ahead_s) = (Draws(0x9e37_79b9_7f4a_7c15), 0);
    visit(stores, &filled, visits, &mut draws, &mut ahead_s, probe, false).await?;
    if visits.then_ahead_s > 0 {
        for store in stores.iter_mut() {
            advance(&store.bench, visits.then_ahead_s).await?;
            let name = format!("{} purging", store.report.name());
            store.report.rename(name);
        }
        ahead_s += visits.then_ahead_s;
        tokio::time::sleep(SETTLE).await;
        visit(stores, &filled, visits, &mut draws, &mut ahead_s, probe, true).await?;
    }
    Ok(())
}

/// `alone`: whether a server is stopped while others are visited, so that what it does by itself is not in their figures.
async fn visit(
    stores: &mut [Store],
    filled: &[Vec<Factor>],
    visits: &Visits,
    draws: &mut Draws,
    ahead_s: &mut u64,
    probe: &impl Fn() -> Result<f64, String>,
    alone: bool,
) -> Result<(), String> {
    let stride_s = if visits.rounds > 1 { STRIDE_S } else { 0 };
    for (conns, n) in visits.conns.iter().zip(&visits.counts) {
        let sync_us = probe()?;
        let mut totals: Vec<_> = stores.iter().map(|_| (Phase::default(), Phase::default())).collect();
        let unseen = if alone { 0 } else { visits.unseen };
        for round in 0..unseen + visits.rounds.max(1) {
            for ((store, factors), total) in stores.iter().zip(filled).zip(&mut totals) {
                let others = Stopped::all_but(store, stores, alone)?;
                let items = draws.some(factors, *n);
                let (items, challenged) = phase(&store.bench, Op::Challenge, items, *conns, *ahead_s).await;
                let (_, verified) = phase(&store.bench, Op::Verify, items, *conns, *ahead_s).await;
                if round >= unseen {
                    total.0.absorb(challenged);
                    total.1.absorb(verified);
                }
                if stride_s > 0 {
                    advance(&store.bench, stride_s).await?;
                }
                drop(others);
            }
            *ahead_s += stride_s;
        }
        for ((store, factors), total) in stores.iter_mut().zip(filled).zip(&mut totals) {
            store.report.phase(Op::Challenge.name(), *conns, factors.len(), sync_us, &mut total.0);
            store.report.phase(Op::Verify.name(), *conns, factors.len(), sync_us, &mut total.1);
        }
    }
    Ok(())
}

async fn advance(bench: &Bench, seconds: u64) -> Result<(), String> {
    let moved = bench.api.advance_clock(&mut bench.api.conn(), seconds).await;
    moved.map_err(|e| e.to_string())?.map_err(|e| format!("the clock does not move: {e:?}"))
}

/// Processes that stand still until this is dropped.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn all_but(visited: &Store, stores: &[Store], alone: bool) -> Result<Self, String> {
        let mut stopped = Self(Vec::new());
        let pids = stores.iter().map(|s| s.bench.server_pid).filter(|pid| *pid != visited.bench.server_pid);
        for pid in pids.filter(|_| alone) {
            let pid = i32::try_from(pid)
                .ok()
                .and_then(Pid::from_raw)
                .ok_or("with --then-ahead, the pids are needed")?;
            kill_process(pid, Signal::STOP).map_err(|e| format!("process {pid:?} cannot be stopped: {e}"))?;
            stopped.0.push(pid);
        }
        Ok(stopped)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that has ended meanwhile is noticed when it is asked.
            kill_process(*pid, Signal::CONT).unwrap_or_default();
        }
    }
}

/// Reads the factors of a file.
fn known(file: &str) -> Result<Vec<Factor>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    let factors: Vec<Factor> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, secret)| Factor { id: id.to_owned(), secret: secret.to_owned() })
        .collect();
    if factors.is_empty() { Err(format!("{file}: no factor in it")) } else { Ok(factors) }
}

/// Enrolls `n` factors over 64 connections, in bites that each stay below the bound of a phase.
async fn enroll(bench: &Rc<Bench>, n: usize) -> Result<Vec<Factor>, String> {
    let mut factors = Vec::with_capacity(n);
    while factors.len() < n {
        let bite = (n - factors.len()).min(10_000);
        let (items, figures) = phase(bench, Op::Enroll, vec![Item::default(); bite], 64, 0).await;
        if items.is_empty() {
            return Err(format!(
                "no factor could be enrolled: {}",
                figures.first_trouble.unwrap_or_default()
            ));
        }
        factors.extend(items.into_iter().filter_map(|i| i.factor));
    }
    Ok(factors)
}

/// A small fixed sequence (splitmix64): the same draws in each run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `n` different factors, or all if there are fewer.
    fn some(&mut self, factors: &[Factor], n: usize) -> Vec<Item> {
        let mut order: Vec<usize> = (0..factors.len()).collect();
        let n = n.min(order.len());
        for i in 0..n {
            let left = (order.len() - i) as u64;
            let offset = usize::try_from(self.next() % left.max(1)).unwrap_or(0);
            order.swap(i, i + offset);
        }
        let drawn = order.into_iter().take(n).filter_map(|i| factors.get(i));
        drawn.map(|f| Item { factor: Some(f.clone()), challenge: String::new() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Draws;
    use loadgen::wire::Factor;
    use std::collections::HashSet;

    #[test]
    fn a_draw_takes_no_factor_twice() {
        let factors: Vec<Factor> =
            (0..100).map(|n| Factor { id: n.to_string(), secret: String::new() }).collect();
        let mut draws = Draws(1);
        let first = draws.some(&factors, 60);
        let ids: HashSet<String> = first.into_iter().map(|i| i.factor.unwrap().id).collect();
        assert_eq!(ids.len(), 60);
        assert_eq!(draws.some(&factors, 1000).len(), 100);
    }
}
