//! Two samples of times, told apart as well as time alone can.
//!
//! The figures go by ranks, so one answer that waited for the disk weighs no more than any other.

/// One pair's times in nanoseconds, taken by turns.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    pub(crate) a: Vec<u64>,
    pub(crate) b: Vec<u64>,
}

/// What they say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared {
    /// How often a time of `b` is longer than one of `a`; 0.5 if nothing tells.
    pub(crate) auc: f64,
    /// The standard error of that, if nothing tells.
    pub(crate) error: f64,
    /// How often whoever knows the best bound guesses right from one time. Above 0.5 by chance alone, too.
    pub(crate) guessed: f64,
    /// The medians, in microseconds.
    pub(crate) medians: [f64; 2],
}

impl Pair {
    /// Compares the two; `None` if one of them is empty.
    pub(crate) fn compared(&self) -> Option<Compared> {
        let (n, m) = (self.a.len() as f64, self.b.len() as f64);
        let mut all: Vec<(u64, bool)> = self.a.iter().map(|t| (*t, false)).collect();
        all.extend(self.b.iter().map(|t| (*t, true)));
        all.sort_unstable();
        // One walk: pairs in which b is longer, ties half, and the widest gap between the two shares so far.
        let (mut seen_a, mut seen_b, mut won, mut gap) = (0.0, 0.0, 0.0, 0f64);
        for tied in all.chunk_by(|x, y| x.0 == y.0) {
            let b = tied.iter().filter(|(_, is_b)| *is_b).count() as f64;
            let a = tied.len() as f64 - b;
            won += b * (seen_a + a / 2.0);
            (seen_a, seen_b) = (seen_a + a, seen_b + b);
            gap = gap.max((seen_a / n - seen_b / m).abs());
        }
        let medians = [median(&self.a)?, median(&self.b)?];
        let error = ((n + m + 1.0) / (12.0 * n * m)).sqrt();
        Some(Compared { auc: won / (n * m), error, guessed: 0.5 + gap / 2.0, medians })
    }
}

fn median(times: &[u64]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map(|ns| *ns as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::Pair;
    use crate::dice::Dice;

    fn times(dice: &mut Dice, more: u64) -> Vec<u64> {
        // A disk's: most near 1 ms, some far out.
        let mut one = || 1_000_000 + more + dice.below(200_000) + 20_000_000 * u64::from(dice.below(20) == 0);
        (0..1_000).map(|_| one()).collect()
    }

    #[test]
    fn equal_times_tell_nothing_and_a_fifth_of_their_spread_tells() {
        let mut dice = Dice::new(5);
        let pair = Pair { a: times(&mut dice, 0), b: times(&mut dice, 0) };
        let same = pair.compared().unwrap();
        assert!((same.auc - 0.5).abs() < 4.0 * same.error && same.guessed < 0.55, "{same:?}");
        let pair = Pair { a: times(&mut dice, 0), b: times(&mut dice, 40_000) };
        let other = pair.compared().unwrap();
        assert!(other.auc > 0.6 && other.guessed > 0.58, "{other:?}");
        assert!(Pair::default().compared().is_none());
    }

    #[test]
    fn the_figures_are_those_of_a_small_case() {
        let pair = Pair { a: vec![1, 2, 2], b: vec![2, 3] };
        let compared = pair.compared().unwrap();
        // Of six pairs b is longer in 1+0.5+0.5 + 3.
        assert!((compared.auc - 5.0 / 6.0).abs() < 1e-9);
        // Bound between 2 and 3: all of a at or below it, half of b.
        assert!((compared.guessed - 0.75).abs() < 1e-9);
    }
}
