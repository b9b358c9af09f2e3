//! Right and wrong codes that land in one moment (I1, I2, I3, I4; F06, F15, F16), counted exactly. With two nodes each
//! gets half of them.
use crate::{
    caller::this_step,
    checker::{LOCK_AFTER, PER_CHALLENGE},
    front::Front,
    nodes::Nodes,
    volley::{Shot, Tally, volley},
};
use loadgen::{
    totp,
    wire::{Factor, Refusal, Reply},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::run::Run;

/// Codes handed in at once in the small races.
const AT_ONCE: usize = 64;
/// Wrong attempts that lock all factors of a user (I4).
const PER_USER: usize = 20;

/// Runs all races; those of F06 `rounds` times.
///
/// # Errors
/// One sentence if the run cannot go on, or a count was not the one expected.
pub(crate) async fn run(run: &Run, rounds: usize) -> Result<String, String> {
    let nodes = Nodes::start(run).await?;
    let front = nodes.front()?;
    let mut codes = 0;
    for round in 0..rounds {
        codes +=
            one_challenge(&front).await.map_err(|e| format!("F06, one challenge, round {round}: {e}"))?;
        codes +=
            ten_challenges(&front).await.map_err(|e| format!("F06, ten challenges, round {round}: {e}"))?;
    }
    codes += wrong_on_one(&front).await.map_err(|e| format!("F16, one challenge: {e}"))?;
    codes += thousand_challenges(&front).await.map_err(|e| format!("F15: {e}"))?;
    codes += ten_factors(&front).await.map_err(|e| format!("F16, ten factors: {e}"))?;
    Ok(format!(
        "races on {}: {rounds} rounds of F06, F15, F16 alone and over ten factors; {codes} codes; violations 0",
        run.store
    ))
}

/// 64 times the right code on one challenge: one TRUE, 63 VERIFIED.
async fn one_challenge(front: &Arc<Front>) -> Result<usize, String> {
    let factor = enroll(front, None).await?;
    let challenge = open(front, &factor).await?;
    let code = right(&factor, calm_step().await)?;
    let shots = vec![Shot::new(&challenge, &code); AT_ONCE];
    let tally = volley(front, shots).await?;
    tally.expect(&[(Ok(true), 1), (Err(Refusal::Verified), AT_ONCE - 1)])?;
    Ok(AT_ONCE)
}

/// The right code on ten challenges: one TRUE, and nine replays that count.
async fn ten_challenges(front: &Arc<Front>) -> Result<usize, String> {
    let factor = enroll(front, None).await?;
    let mut challenges = Vec::new();
    for _ in 0..10 {
        challenges.push(open(front, &factor).await?);
    }
    let step = calm_step().await;
    let code = right(&factor, step)?;
    let tally = volley(front, challenges.iter().map(|c| Shot::new(c, &code)).collect()).await?;
    tally.expect(&[(Ok(true), 1), (Ok(false), 9)])?;
    // TRUE set the count to 0, whichever came first, and nine replays made it nine: one more locks.
    let fresh = open(front, &factor).await?;
    let wrong = wrong(&factor, step, 0)?;
    same(verify(front, &fresh, &wrong).await, Ok(false))?;
    same(verify(front, &fresh, &wrong).await, Err(Refusal::Locked))?;
    Ok(12)
}

/// 64 wrong codes on one challenge: five are compared.
async fn wrong_on_one(front: &Arc<Front>) -> Result<usize, String> {
    let factor = enroll(front, None).await?;
    let challenge = open(front, &factor).await?;
    let step = calm_step().await;
    let shots = shots(&factor, step, &[challenge], AT_ONCE)?;
    let tally = volley(front, shots).await?;
    tally.expect(&[(Ok(false), PER_CHALLENGE), (Err(Refusal::Spent), AT_ONCE - PER_CHALLENGE)])?;
    Ok(AT_ONCE)
}

/// 1,000 challenges of one factor and 5,000 wrong codes: ten are compared, then not even the right one is.
async fn thousand_challenges(front: &Arc<Front>) -> Result<usize, String> {
    let factor = enroll(front, None).await?;
    let mut challenges = Vec::new();
    for _ in 0..1_000 {
        challenges.push(open(front, &factor).await?);
    }
    let step = calm_step().await;
    let shots = shots(&factor, step, &challenges, 5_000)?;
    let mut tally = Tally::default();
    // The newest first: those are open. Waves, as descriptors have a bound.
    for wave in shots.rchunks(250) {
        tally.add(volley(front, wave.to_vec()).await?);
    }
    tally.expect_only(
        &[(Ok(false), LOCK_AFTER)],
        &[Refusal::Expired, Refusal::Spent, Refusal::Locked],
        5_000,
    )?;
    let fresh = open(front, &factor).await?;
    let code = right(&factor, this_step())?;
    same(verify(front, &fresh, &code).await, Err(Refusal::Locked))?;
    Ok(5_001)
}

/// Ten factors of one user: twenty wrong codes are compared over all of them, then all are locked.
async fn ten_factors(front: &Arc<Front>) -> Result<usize, String> {
    let user = format!("user-{}", loadgen::clock::unix_millis());
    let (mut factors, mut all) = (Vec::new(), Vec::new());
    let step = calm_step().await;
    for _ in 0..10 {
        let factor = enroll(front, Some(&user)).await?;
        let challenges = [open(front, &factor).await?, open(front, &factor).await?];
        all.extend(shots(&factor, step, &challenges, 50)?);
        factors.push(factor);
    }
    // By turns over the factors, so that no factor's own lock comes first everywhere.
    let mut by_turns: Vec<Shot> = Vec::new();
    for n in 0..50 {
        by_turns.extend(all.chunks(50).filter_map(|one| one.get(n).cloned()));
    }
    let total = by_turns.len();
    let mut tally = Tally::default();
    for wave in by_turns.chunks(250) {
        tally.add(volley(front, wave.to_vec()).await?);
    }
    tally.expect_only(&[(Ok(false), PER_USER)], &[Refusal::Spent, Refusal::Locked], total)?;
    for factor in &factors {
        let fresh = open(front, factor).await?;
        let code = right(factor, this_step())?;
        same(verify(front, &fresh, &code).await, Err(Refusal::Locked))?;
    }
    Ok(total + factors.len())
}

/// `n` different wrong codes over `challenges`, by turns.
fn shots(factor: &Factor, step: u64, challenges: &[String], n: usize) -> Result<Vec<Shot>, String> {
    let codes = (0u32..).map(|nth| wrong(factor, step, nth));
    let pairs = challenges.iter().cycle().zip(codes).take(n);
    pairs.map(|(challenge, code)| code.map(|code| Shot::new(challenge, &code))).collect()
}

async fn enroll(front: &Front, user: Option<&str>) -> Result<Factor, String> {
    let api = front.api();
    told(api.enroll(&mut api.conn(), user).await)
}

async fn open(front: &Front, factor: &Factor) -> Result<String, String> {
    let api = front.api();
    told(api.challenge(&mut api.conn(), &factor.id).await)
}

async fn verify(front: &Front, challenge: &str, code: &str) -> Reply<bool> {
    let api = front.api();
    api.verify(&mut api.conn(), challenge, code).await
}

fn told<T>(reply: Reply<T>) -> Result<T, String> {
    reply.map_err(|e| e.to_string())?.map_err(|refusal| format!("{refusal:?}"))
}

fn same(reply: Reply<bool>, expected: Result<bool, Refusal>) -> Result<(), String> {
    let got = reply.map_err(|e| e.to_string())?;
    if got == expected { Ok(()) } else { Err(format!("{got:?} in place of {expected:?}")) }
}

fn right(factor: &Factor, step: u64) -> Result<String, String> {
    totp::code(&factor.secret, step).ok_or_else(|| format!("the secret of {} is not Base32", factor.id))
}

fn wrong(factor: &Factor, step: u64, nth: u32) -> Result<String, String> {
    totp::wrong_code(&factor.secret, step, nth)
        .ok_or_else(|| format!("the secret of {} is not Base32", factor.id))
}

/// This step, once it is a while from its end: a race is about one step.
async fn calm_step() -> u64 {
    while loadgen::clock::unix_millis() % 30_000 > 25_000 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    this_step()
}

/// Counts by outcome, for messages.
pub(crate) type Counts = BTreeMap<String, usize>;
