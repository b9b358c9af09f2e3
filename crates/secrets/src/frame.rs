//! Joining fields so that no two lists of fields read alike (F38).

/// Hands `parts` to `take`, each preceded by its length in 8 bytes: where one ends and the next begins is then part of
/// what is digested or bound.
pub(crate) fn frame(parts: &[&[u8]], mut take: impl FnMut(&[u8])) {
    for part in parts {
        take(&(part.len() as u64).to_be_bytes());
        take(part);
    }
}
