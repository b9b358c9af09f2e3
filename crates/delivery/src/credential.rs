//! Secrets of our account at a provider.

use std::fmt;
use zeroize::Zeroizing;

/// Longest credential, in bytes.
const MAX: usize = 4_096;

/// A secret: it does not print, and is wiped when dropped.
#[derive(Clone)]
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// A secret as read from a file or a variable, without blanks around it.
    ///
    /// # Errors
    /// It is empty, long, or holds what no header can.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty");
        }
        if text.len() > MAX || !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err("must be at most 4,096 visible ASCII characters on one line");
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The secret, for the request that carries it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_one_line_and_does_not_print() {
        let secret = Credential::new(" sesame \n").unwrap();
        assert_eq!(secret.reveal(), "sesame");
        assert!(!format!("{secret:?}").contains("sesame"));
        for bad in ["", " \n", "a\nb", "a\r\nx: y", "gr\u{fc}n", &"x".repeat(4_097)] {
            assert!(Credential::new(bad).is_err(), "{bad:?}");
        }
    }
}
