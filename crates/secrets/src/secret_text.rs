//! Texts that hold a code.

use std::fmt;
use zeroize::Zeroizing;

/// A text that holds a secret, such as a message with its code. It does not print and is wiped when dropped.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for whoever sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_a_text_with_a_code_does_not_print() {
        let text = SecretText::new("Your code is 042042.".into());
        assert_eq!(format!("{text:?} {:?}", Some(text.clone())), "SecretText(…) Some(SecretText(…))");
        assert_eq!(text.reveal(), "Your code is 042042.");
    }
}
