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
