//! Joining fields so that no two lists of fields read alike (F38).

/// Hands `parts` to `take`, each preceded by its length in 8 bytes: where one ends and the next begins is then part of
/// what is digested or bound.
pub(crate) fn frame(parts: &[&[u8]], mut take: impl FnMut(&[u8])) {
    for part in parts {
        take(&(part.len() as u64).to_be_bytes());
        take(part);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(parts: &[&[u8]]) -> Vec<u8> {
        let mut whole = Vec::new();
        frame(parts, |bytes| whole.extend_from_slice(bytes));
        whole
    }

    #[test]
    fn f38_fields_that_shift_across_a_join_do_not_read_alike() {
        let lists: [&[&[u8]]; 9] = [
            &[],
            &[b""],
            &[b"", b""],
            &[b"abc"],
            &[b"a", b"bc"],
            &[b"ab", b"c"],
            &[b"", b"abc"],
            &[b"abc", b""],
            &[b"a", b"b", b"c"],
        ];
        for (place, list) in lists.iter().enumerate() {
            for other in &lists[..place] {
                assert_ne!(framed(list), framed(other), "{list:?} and {other:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        /// F38: what is framed can be read back in one way only, so no two lists are alike.
        #[test]
        fn f38_a_framed_list_reads_back_as_itself(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6)) {
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let whole = framed(&slices);
            let mut rest = whole.as_slice();
            let mut read = Vec::new();
            while let Some((length, tail)) = rest.split_first_chunk::<8>() {
                let (part, tail) = tail.split_at(u64::from_be_bytes(*length) as usize);
                read.push(part);
                rest = tail;
            }
            prop_assert!(rest.is_empty());
            prop_assert_eq!(read, slices);
        }
    }
}
