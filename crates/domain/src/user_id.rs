//! The caller's own name for a user (W2). Countersign keeps no users, only these ids.

use std::fmt;

use crate::text::{has_control, longer_than};

/// Most characters of a user id (W2).
pub const MAX_USER_ID_CHARS: usize = 255;

/// An id of a user: 1 to 255 characters (not bytes) without control characters.
///
/// It is kept and echoed as given and compares byte for byte: neither case, nor Unicode normal form, nor
/// white space at the ends makes two ids one (F22).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// Reads an id that has been percent-decoded already, if it came in a path.
    ///
    /// # Errors
    /// Says what is wrong, to be put after the name of the field; never repeats the value.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || longer_than(text, MAX_USER_ID_CHARS) || has_control(text) {
            return Err("must be 1 to 255 characters without control characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as the caller gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn w2_one_to_255_characters_without_control_characters() {
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        for (text, accepted) in [
            ("u-4711", true),
            (" ", true),
            ("=1+1", true),
            ("a:b/c?d%20", true),
            ("שלום 🙂", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a\nb", false),
            ("a\0", false),
            ("\u{7f}", false),
            ("\u{9f}", false),
        ] {
            assert_eq!(UserId::parse(text).is_ok(), accepted, "{text:?}");
        }
    }

    #[test]
    fn f22_ids_compare_byte_for_byte_and_are_echoed_as_given() {
        let spellings = ["Alice", "alice", "ALICE ", "Am\u{e9}lie", "Ame\u{301}lie", "%41lice"];
        let ids: Vec<UserId> = spellings.iter().map(|text| UserId::parse(text).unwrap()).collect();
        for (i, id) in ids.iter().enumerate() {
            assert_eq!(id.as_str(), spellings[i]);
            assert_eq!(id.to_string(), spellings[i]);
            assert!(ids.iter().enumerate().all(|(j, other)| (i == j) == (id == other)));
        }
    }

    #[test]
    fn w5_the_complaint_does_not_repeat_the_value() {
        let problem = UserId::parse("hunter2\n").unwrap_err();
        assert!(!problem.contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_text_is_kept_whole_or_refused(text in any::<String>()) {
            if let Ok(id) = UserId::parse(&text) {
                prop_assert_eq!(id.as_str(), &text);
            }
        }
    }
}
