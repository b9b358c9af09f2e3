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
