//! Which name somebody probably meant.

/// The longest mistyped name worth comparing; a longer one is no slip of the finger.
const MAX_CHARS: usize = 64;

/// The name most like `given`, unless more than half of it would have to change.
pub(super) fn nearest(given: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if crate::text::longer_than(given, MAX_CHARS) {
        return None;
    }
    names
        .map(|name| (edits(given, name), name))
        .min_by_key(|(edits, _)| *edits)
        .filter(|(edits, name)| *edits <= name.len() / 2)
        .map(|(_, name)| name)
}

/// The least number of characters to insert, delete or replace to get from one text to the other.
fn edits(from: &str, to: &str) -> usize {
    // One row of the table at a time: row[j] is the cost of the first characters of `from` against `to[..j]`.
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in to.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn edits_are_counted_by_characters() {
        for (from, to, count) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
        ] {
            assert_eq!(edits(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        let names = ["rate_limit", "sms_wait_ms", "strict_parameters"];
        for (given, expected) in [
            ("rate_limits", Some("rate_limit")),
            ("rate-limit", Some("rate_limit")),
            ("RATE_limit", Some("rate_limit")),
            ("sms_wait", Some("sms_wait_ms")),
            ("strict_params", Some("strict_parameters")),
            ("", None),
            ("colour", None),
        ] {
            assert_eq!(nearest(given, names.into_iter()), expected, "{given}");
        }
        assert_eq!(nearest(&"rate_limit".repeat(10_000), names.into_iter()), None);
        assert_eq!(nearest("x", std::iter::empty()), None);
    }

    proptest! {
        #[test]
        fn edits_are_a_distance(a in "[ab_]{0,9}", b in "[ab_]{0,9}", c in "[ab_]{0,9}") {
            prop_assert_eq!(edits(&a, &b) == 0, a == b);
            prop_assert_eq!(edits(&a, &b), edits(&b, &a));
            prop_assert!(edits(&a, &c) <= edits(&a, &b) + edits(&b, &c));
        }
    }
}
