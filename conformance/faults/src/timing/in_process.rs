//! The comparison of a TOTP code by itself, without a network or a disk to hide in: does it take longer for one code
//! than for another? (RFC 6238 windows: every step has to be computed, whichever fits.)
use crate::{dice::Dice, run::Run};
use loadgen::totp;
use secrets::{Code, Submitted, TotpSeed, Window, matching_step};
use std::{hint::black_box, time::Instant};

/// What a code may be.
const CLASSES: [&str; 5] =
    ["fits no step", "fits the step before", "fits this step", "fits the next step", "has five right digits"];
/// What is compared: two that are wrong alike, and two pairs that are right alike. Right and wrong are told anyway.
const PAIRS: [[usize; 2]; 3] = [[0, 4], [2, 1], [2, 3]];
/// Seeds and steps that are drawn from: more than fit a cache line, few enough to be warm.
const CASES: usize = 256;
/// A class fails if Welch's t exceeds this and its mean differs by more than [`GROSS_SHARE`]. The scorecard wants 4.5
/// at ten million samples; a busy machine reaches that by itself, and a comparison that ends early differs by a third.
const GROSS_T: f64 = 10.0;
const GROSS_SHARE: f64 = 0.03;
/// Times beyond this share of all are the machine's, not the comparison's.
const KEPT: f64 = 0.9;

struct Case {
    seed: TotpSeed,
    step: u64,
    codes: [Code; CLASSES.len()],
}

/// Measures `samples` comparisons, and says each figure. Returns what is gross.
///
/// # Errors
/// One sentence if a case cannot be made.
pub(crate) fn run(run: &Run, samples: u64) -> Result<Vec<String>, String> {
    let mut dice = Dice::new(run.seed);
    let cases: Option<Vec<Case>> = (0..CASES).map(|_| case(&mut dice)).collect();
    let cases = cases.ok_or("a case cannot be made")?;
    let mut times: [Vec<u64>; CLASSES.len()] = Default::default();
    for n in 0..samples {
        let class = usize::try_from(dice.below(CLASSES.len() as u64)).unwrap_or(0);
        let case = dice.pick(&cases).ok_or("no case")?;
        let window = Window { from: case.step - 1, to: case.step + 1 };
        let start = Instant::now();
        let found = matching_step(black_box(&case.seed), black_box(&case.codes[class]), window);
        let took = start.elapsed();
        let fits = [None, Some(case.step - 1), Some(case.step), Some(case.step + 1), None];
        if black_box(found) != fits[class] {
            return Err(format!("a code that {} is taken for another", CLASSES[class]));
        }
        if n > samples / 20 {
            times[class].push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    Ok(compared(run, &times))
}

fn case(dice: &mut Dice) -> Option<Case> {
    let bytes: Vec<u8> = (0..20).map(|_| u8::try_from(dice.below(256)).unwrap_or(0)).collect();
    let seed = TotpSeed::from_bytes(&bytes)?;
    let secret = seed.to_base32();
    let step = 60_000_000 + dice.below(1_000_000);
    let code = |step| totp::code(&secret, step);
    let near = near(&code(step)?, |text| (step - 1..=step + 1).all(|s| code(s).as_deref() != Some(text)))?;
    let wrong = totp::wrong_code(&secret, step, u32::try_from(dice.below(400_000)).ok()?)?;
    let typed = |text: String| match Submitted::parse(&text) {
        Submitted::WellFormed(code) => Some(code),
        Submitted::Malformed => None,
    };
    let texts = [wrong, code(step - 1)?, code(step)?, code(step + 1)?, near];
    let codes: Vec<Code> = texts.into_iter().map(typed).collect::<Option<_>>()?;
    Some(Case { seed, step, codes: codes.try_into().ok()? })
}

/// A code that differs from `right` in its last digit, and that `is_wrong` says is wrong.
fn near(right: &str, is_wrong: impl Fn(&str) -> bool) -> Option<String> {
    let five = right.get(..5)?;
    (0..10).map(|digit| format!("{five}{digit}")).find(|code| is_wrong(code))
}

fn compared(run: &Run, times: &[Vec<u64>; CLASSES.len()]) -> Vec<String> {
    let mut all: Vec<u64> = times.iter().flatten().copied().collect();
    all.sort_unstable();
    let crop = all.get((all.len() as f64 * KEPT) as usize).copied().unwrap_or(u64::MAX);
    let kept = |times: &Vec<u64>| Moments::of(times.iter().copied().filter(|t| *t <= crop));
    let classes: Vec<Moments> = times.iter().map(kept).collect();
    let mut gross = Vec::new();
    for [a, b] in PAIRS {
        let (first, other) = (&classes[a], &classes[b]);
        let (t, share) = (first.welch(other), other.mean / first.mean - 1.0);
        let line = format!(
            "in process, a code that {} and one that {}: {:.0} and {:.0} ns, t = {t:.1} (wanted, with 10^7 samples: 4.5)",
            CLASSES[a], CLASSES[b], first.mean, other.mean
        );
        if !(t.abs() <= GROSS_T || share.abs() <= GROSS_SHARE) {
            gross.push(line.clone());
        }
        run.say(&line);
    }
    gross
}

/// Count, mean and variance.
struct Moments {
    n: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(times: impl Iterator<Item = u64> + Clone) -> Moments {
        let n = times.clone().count() as f64;
        let mean = times.clone().map(|t| t as f64).sum::<f64>() / n;
        let variance = times.map(|t| (t as f64 - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Moments { n, mean, variance }
    }

    /// Welch's t of two.
    fn welch(&self, other: &Moments) -> f64 {
        (self.mean - other.mean) / (self.variance / self.n + other.variance / other.n).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::Moments;

    #[test]
    fn t_is_that_of_a_small_case() {
        let [a, b] = [[1u64, 2, 3], [4, 5, 6]].map(|times| Moments::of(times.into_iter()));
        assert!((a.welch(&b) + 3.0 / (2.0f64 / 3.0).sqrt()).abs() < 1e-9);
    }
}
