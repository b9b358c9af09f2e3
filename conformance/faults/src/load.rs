//! Callers who log in, over and over, until told to stop.
use crate::{caller::Caller, dice::Dice, flow, front::Front, history::Journal};
use loadgen::wire::Factor;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Callers at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    callers: JoinSet<Vec<Factor>>,
}

impl Load {
    /// Lets `callers` of them begin, each with at most `factors` factors.
    pub(crate) fn start(
        front: &Arc<Front>,
        journal: &Arc<Journal>,
        dice: &mut Dice,
        (callers, factors): (u64, usize),
        patience: Duration,
    ) -> Load {
        let mut load = Load { stop: Arc::default(), callers: JoinSet::new() };
        for _ in 0..callers {
            let mut caller = Caller::new(front, journal, patience);
            let mut dice = Dice::new(dice.below(u64::MAX));
            let stop = load.stop.clone();
            load.callers.spawn(async move {
                let mut told = Vec::new();
                while !stop.load(Relaxed) && told.len() < factors {
                    let shape = dice.below(flow::SHAPES);
                    let (factor, went_on) = flow::one(&mut caller, &mut dice, shape).await;
                    if went_on.is_none() {
                        told.extend(factor);
                        break;
                    }
                    match factor {
                        Some(factor) => told.push(factor),
                        // Whoever is told to try again does so after a while.
                        None => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
                told
            });
        }
        load
    }

    /// Lets them finish what they are at, and returns the factors they were told of.
    ///
    /// # Errors
    /// One sentence if a caller panicked.
    pub(crate) async fn stop(mut self) -> Result<Vec<Factor>, String> {
        self.stop.store(true, Relaxed);
        let mut factors = Vec::new();
        while let Some(done) = self.callers.join_next().await {
            factors.extend(done.map_err(|e| e.to_string())?);
        }
        Ok(factors)
    }
}
