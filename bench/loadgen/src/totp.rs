//! The phone's part: the code of a secret at a step.
use secrets::{TotpSeed, hotp};

/// The six digits that an authenticator shows for `secret` (Base32) in `step`; `None` if the secret is not
/// Base32 of an accepted length.
pub fn code(secret: &str, step: u64) -> Option<String> {
    let seed = TotpSeed::import_base32(secret)?;
    Some(hotp(&seed, step).reveal().to_owned())
}

/// A well-formed code that is wrong for `secret` in every step from `step` − 3 to `step` + 6, so that it
/// stays wrong for as long as a run needs it. Different `nth` below 500,000 give different codes, but for
/// the few that have to step aside for a right one.
pub fn wrong_code(secret: &str, step: u64, nth: u32) -> Option<String> {
    let right: Option<Vec<String>> = (step.saturating_sub(3)..=step + 6).map(|s| code(secret, s)).collect();
    let right = right?;
    (0u32..=10).map(|k| format!("{:06}", (nth + k * 500_009) % 1_000_000)).find(|c| !right.contains(c))
}

#[cfg(test)]
mod tests {
    use super::{code, wrong_code};

    /// `12345678901234567890`, the key of both RFCs.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn the_codes_are_those_of_rfc_4226_and_6238() {
        assert_eq!(code(RFC, 0).as_deref(), Some("755224"));
        assert_eq!(code(RFC, 59 / 30).as_deref(), Some("287082"));
        assert_eq!(code(RFC, 1_111_111_109 / 30).as_deref(), Some("081804"));
        assert_eq!(code(RFC, 20_000_000_000 / 30).as_deref(), Some("353130"));
    }

    #[test]
    fn a_wrong_code_steps_aside_for_a_right_one() {
        assert_eq!(wrong_code(RFC, 3, 755_223).as_deref(), Some("755223"));
        let aside = wrong_code(RFC, 3, 755_224).unwrap();
        assert_ne!(aside, "755224");
        assert_eq!(aside.len(), 6);
    }
}
