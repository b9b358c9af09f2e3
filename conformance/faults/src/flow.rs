//! What callers do while something happens to the server: a few shapes of log-in, the honest and the other.
use crate::{
    caller::{Caller, Guess, this_step},
    checker::PER_CHALLENGE,
    dice::Dice,
    history::Outcome,
};
use loadgen::wire::Factor;

/// How many shapes [`one`] knows.
pub(crate) const SHAPES: u64 = 5;

/// Enrolls a factor and uses it in the given shape. Returns the factor if it was told; ends early, with `None`
/// for the second part, once the server cannot be reached.
pub(crate) async fn one(caller: &mut Caller, dice: &mut Dice, shape: u64) -> (Option<Factor>, Option<()>) {
    let factor = match caller.enroll().await {
        None => return (None, None),
        Some(None) => return (None, Some(())),
        Some(Some(factor)) => factor,
    };
    let went_on = use_it(caller, dice, &factor, shape).await;
    (Some(factor), went_on)
}

async fn use_it(caller: &mut Caller, dice: &mut Dice, factor: &Factor, shape: u64) -> Option<()> {
    let Some(first) = caller.open(factor).await? else { return Some(()) };
    let nth = u32::try_from(dice.below(400_000)).unwrap_or(0);
    let step = this_step();
    match shape {
        // The honest one.
        0 => {
            caller.verify(factor, &first, Guess::Right(step)).await?;
        }
        // One who mistypes, and hands the code in again afterwards, here and on a new challenge.
        1 => {
            for wrong in 0..=u32::try_from(dice.below(4)).unwrap_or(0) {
                caller.verify(factor, &first, Guess::Wrong(nth + wrong)).await?;
            }
            caller.verify(factor, &first, Guess::Right(step)).await?;
            caller.verify(factor, &first, Guess::Right(step)).await?;
            replay(caller, factor, step).await?;
        }
        // One who guesses until the challenge is spent.
        2 => {
            for wrong in 0..=PER_CHALLENGE {
                caller.verify(factor, &first, Guess::Wrong(nth + u32::try_from(wrong).unwrap_or(0))).await?;
            }
            caller.verify(factor, &first, Guess::Right(step)).await?;
        }
        // One code, two challenges, then the next code; and the last one again.
        3 => {
            caller.verify(factor, &first, Guess::Right(step)).await?;
            replay(caller, factor, step).await?;
            replay(caller, factor, step + 1).await?;
            replay(caller, factor, step).await?;
        }
        // The same right code from two callers at once.
        _ => {
            let mut other = Caller::new(&caller.front, &caller.journal, caller.patience);
            let guess = Guess::Right(step);
            let (a, b) =
                tokio::join!(caller.verify(factor, &first, guess), other.verify(factor, &first, guess));
            a.and(b)?;
        }
    }
    Some(())
}

async fn replay(caller: &mut Caller, factor: &Factor, step: u64) -> Option<Outcome> {
    let Some(challenge) = caller.open(factor).await? else { return Some(Outcome::Unknown) };
    caller.verify(factor, &challenge, Guess::Right(step)).await
}
