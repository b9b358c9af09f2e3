//! Whether time tells what answers do not (I13, F51): pairs of requests that an outsider must not tell apart, asked by
//! turns over one connection, and the comparison of codes in this process.
//!
//! Nothing here is sharp enough to prove that no difference exists; the figures say how large one could be. A run fails
//! only beyond bounds that were set before, so wide that a busy machine does not reach them: see [`GROSS`] and
//! [`in_process`].
mod compare;
mod in_process;
mod scene;

use crate::{dice::Dice, run::Run, server::Plan};
use compare::Pair;
use scene::{PAIRS, Scene, Trouble};
use std::collections::BTreeMap;

/// A pair fails if the longer answer of two is the same one's in more than this share of pairs. The least number of
/// rounds keeps chance nearly six standard errors away from it.
const GROSS: f64 = 0.62;
/// The fewest rounds taken.
const ROUNDS_MIN: usize = 400;
/// Rounds before those that count.
const WARM_UP: usize = 10;
/// The scorecard's bound for guessing from one time, at its 20,000 samples of each. Reported, not enforced.
const WANTED: f64 = 0.52;

/// Asks every pair in each of `rounds`, then compares codes `samples` times.
///
/// # Errors
/// One sentence if the run cannot go on, or a difference is gross.
pub(crate) async fn run(run: &Run, rounds: usize, samples: u64) -> Result<String, String> {
    let rounds = rounds.max(ROUNDS_MIN);
    let plan = Plan::new(&run.binary, &run.folder)?;
    let (_server, _) = plan.start_ready().await?;
    let mut dice = Dice::new(run.seed);
    let told = |trouble| match trouble {
        Trouble::Busy => "the server had no time".to_owned(),
        Trouble::Other(why) => why,
    };
    let mut scene = Scene::set(&plan).await.map_err(told)?;
    let mut pairs: BTreeMap<&str, Pair> = BTreeMap::new();
    let (mut round, mut busy) = (0, 0);
    // The first rounds warm up caches and the statements' plans; they are not counted.
    while round < rounds + WARM_UP {
        let counted = round >= WARM_UP;
        let tell = |name, first, took| {
            let pair = pairs.entry(name).or_default();
            if counted {
                if first { &mut pair.a } else { &mut pair.b }.push(took);
            }
        };
        match scene.round(&mut dice, tell).await {
            Ok(()) => round += 1,
            Err(Trouble::Busy) if busy < rounds / 10 => busy += 1,
            Err(trouble) => return Err(told(trouble)),
        }
    }
    let mut gross = Vec::new();
    for (name, what) in PAIRS {
        let compared = pairs.get(name).and_then(Pair::compared).ok_or("a pair was never asked")?;
        let [a, b] = compared.medians;
        run.say(&format!(
            "{what}: medians {a:.0} and {b:.0} µs; the second longer in {:.1} % of pairs (chance: {:.1} to {:.1}); \
             guessed from one time {:.1} % (wanted, with 20,000 of each: {:.0} %)",
            100.0 * compared.auc,
            50.0 - 200.0 * compared.error,
            50.0 + 200.0 * compared.error,
            100.0 * compared.guessed,
            100.0 * WANTED
        ));
        if compared.auc.max(1.0 - compared.auc) > GROSS {
            gross.push(what.to_owned());
        }
    }
    gross.extend(in_process::run(run, samples)?);
    let line = format!(
        "timing: {rounds} rounds of {} pairs ({busy} more were cut short by a busy server), seed {}; in process {samples} comparisons; gross differences {}",
        PAIRS.len(),
        run.seed,
        gross.len()
    );
    if gross.is_empty() { Ok(line) } else { Err(format!("{}\n{line}", gross.join("\n"))) }
}
