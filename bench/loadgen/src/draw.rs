//! Verifying in a large store: many factors are enrolled, few of them, drawn at random, are used. What is
//! wanted is the price of the size alone, so two stores of different size get equal numbers of requests.
use crate::{
    closed::{Bench, Item, Op, Phase, phase},
    report::Report,
};
use loadgen::wire::Factor;
use std::rc::Rc;

/// How far the server's clock moves between draws, in seconds: out of reach of the window, so that any factor
/// can be drawn again.
const STRIDE_S: u64 = 120;

/// A store, by the server before it.
pub(crate) struct Store {
    pub(crate) bench: Rc<Bench>,
    pub(crate) report: Report,
    /// How many factors it is given.
    pub(crate) factors: usize,
}

/// All stores are filled first. Then each round visits one after the other, so that whatever the machine does meanwhile
/// it does to all of them.
pub(crate) async fn run(
    stores: &mut [Store],
    rounds: usize,
    conns: &[usize],
    counts: &[usize],
    probe: &impl Fn() -> Result<f64, String>,
) -> Result<(), String> {
    let mut filled = Vec::new();
    for store in stores.iter() {
        let factors = enroll(&store.bench, store.factors).await?;
        println!("{}: {} factors enrolled", store.report.name(), factors.len());
        filled.push(factors);
    }
    let mut ahead_s = 0;
    let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
    for (conns, n) in conns.iter().zip(counts) {
        let sync_us = probe()?;
        let mut totals: Vec<_> = stores.iter().map(|_| (Phase::default(), Phase::default())).collect();
        for _ in 0..rounds.max(1) {
            for ((store, factors), total) in stores.iter().zip(&filled).zip(&mut totals) {
                let items = draws.some(factors, *n);
                let (items, challenged) = phase(&store.bench, Op::Challenge, items, *conns, ahead_s).await;
                let (_, verified) = phase(&store.bench, Op::Verify, items, *conns, ahead_s).await;
                total.0.absorb(challenged);
                total.1.absorb(verified);
                if rounds > 1 {
                    let api = &store.bench.api;
                    let moved = api.advance_clock(&mut api.conn(), STRIDE_S).await;
                    moved
                        .map_err(|e| e.to_string())?
                        .map_err(|e| format!("the clock does not move: {e:?}"))?;
                }
            }
            ahead_s += if rounds > 1 { STRIDE_S } else { 0 };
        }
        for ((store, factors), total) in stores.iter_mut().zip(&filled).zip(&mut totals) {
            store.report.phase(Op::Challenge.name(), *conns, factors.len(), sync_us, &mut total.0);
            store.report.phase(Op::Verify.name(), *conns, factors.len(), sync_us, &mut total.1);
        }
    }
    Ok(())
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
