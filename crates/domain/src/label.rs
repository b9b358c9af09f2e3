//! The two names a TOTP factor shows in an authenticator: issuer and user (W12).

use crate::text::{has_control, longer_than};
use crate::user_id::UserId;

/// Most characters of an issuer or a user, after trimming (W12).
pub const MAX_LABEL_CHARS: usize = 255;
/// Most bytes of the key URI; the QR code of a longer one is hard to scan (W12).
pub const MAX_URI_BYTES: usize = 1024;

/// Issuer and user as answers show them: trimmed, colons kept, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpLabel {
    /// Who asks for the code.
    pub issuer: String,
    /// Whose code it is.
    pub user: String,
}

/// Which of the two names a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelField {
    /// `totp_issuer` on the wire.
    Issuer,
    /// `totp_user` on the wire.
    User,
}

/// Puts together the label of a new factor (W12).
///
/// Both names are trimmed of Unicode White_Space; an empty one counts as absent, and an absent one takes its
/// default. Defaults are trimmed too and have been checked where they came from.
///
/// # Errors
/// For each name that is longer than 255 characters or has control characters, what is wrong with it, to be
/// put after the name of the field.
pub fn totp_label(
    issuer: Option<&str>,
    user: Option<&str>,
    default_issuer: &str,
    default_user: &str,
) -> Result<TotpLabel, Vec<(LabelField, &'static str)>> {
    match (label_part(issuer, default_issuer), label_part(user, default_user)) {
        (Ok(issuer), Ok(user)) => Ok(TotpLabel { issuer, user }),
        (issuer, user) => Err([(LabelField::Issuer, issuer.err()), (LabelField::User, user.err())]
            .into_iter()
            .filter_map(|(field, problem)| Some((field, problem?)))
            .collect()),
    }
}

fn label_part(given: Option<&str>, default: &str) -> Result<String, &'static str> {
    let given = given.map(str::trim).filter(|text| !text.is_empty());
    if let Some(text) = given {
        check_label(text)?;
    }
    Ok(given.unwrap_or(default.trim()).to_owned())
}

/// What is wrong with a trimmed issuer or user, if anything.
///
/// # Errors
/// For more than 255 characters and for control characters.
pub(crate) fn check_label(text: &str) -> Result<(), &'static str> {
    if longer_than(text, MAX_LABEL_CHARS) {
        return Err("must be at most 255 characters");
    }
    if has_control(text) {
        return Err("must not contain control characters");
    }
    Ok(())
}

/// The default of `user`: the user id, else the factor's id (W12).
///
/// A user id of which nothing visible would be left in the URI is passed over, so that the default can be
/// relied on where the name given leaves nothing either.
pub fn default_user<'a>(user_id: Option<&'a UserId>, factor_id: &'a str) -> &'a str {
    user_id.map(UserId::as_str).filter(|text| !without_colons(text).trim().is_empty()).unwrap_or(factor_id)
}

/// What goes into the key URI for a name: every colon dropped, and the default if nothing is left (W12).
///
/// White space alone counts as nothing: an entry without a name cannot be found again in an authenticator.
pub fn uri_part(shown: &str, default: &str) -> String {
    let part = without_colons(shown);
    if part.trim().is_empty() { without_colons(default.trim()) } else { part }
}

pub(crate) fn without_colons(text: &str) -> String {
    text.replace(':', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(issuer: Option<&str>, user: Option<&str>) -> Result<(String, String), Vec<LabelField>> {
        totp_label(issuer, user, "Northwind", "u-4711")
            .map(|label| (label.issuer, label.user))
            .map_err(|problems| problems.into_iter().map(|(field, _)| field).collect())
    }

    #[test]
    fn w12_names_are_trimmed_and_an_empty_one_takes_its_default() {
        for (issuer, user, shown) in [
            (None, None, ("Northwind", "u-4711")),
            (Some(""), Some("   "), ("Northwind", "u-4711")),
            (Some(" \t\r\n\u{a0}\u{2003}\u{3000}\u{85}"), None, ("Northwind", "u-4711")),
            (Some("\u{a0}Acme Inc\u{2009}"), Some("\nkim\n"), ("Acme Inc", "kim")),
            (Some("A:B"), Some(":"), ("A:B", ":")),
            // A zero-width space is not White_Space.
            (Some("\u{200b}"), None, ("\u{200b}", "u-4711")),
            (Some("אבג 🙂"), Some("=1+1"), ("אבג 🙂", "=1+1")),
        ] {
            assert_eq!(
                label(issuer, user),
                Ok((shown.0.to_owned(), shown.1.to_owned())),
                "{issuer:?} {user:?}"
            );
        }
    }

    #[test]
    fn w12_at_most_255_characters_after_trimming() {
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        let padded = format!("  {longest}\n");
        assert_eq!(label(Some(&longest), Some(&padded)), Ok((longest.clone(), longest.clone())));
        assert_eq!(label(Some(&too_long), None), Err(vec![LabelField::Issuer]));
        assert_eq!(label(None, Some(&too_long)), Err(vec![LabelField::User]));
        assert_eq!(label(Some(&too_long), Some("a\0b")), Err(vec![LabelField::Issuer, LabelField::User]));
    }

    #[test]
    fn f58_control_characters_inside_a_name_are_refused() {
        for inner in ['\r', '\n', '\t', '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
            let text = format!("a{inner}b");
            assert_eq!(label(Some(&text), None), Err(vec![LabelField::Issuer]), "{inner:?}");
            assert_eq!(label(None, Some(&text)), Err(vec![LabelField::User]), "{inner:?}");
        }
        // At the ends only white space is trimmed, so these are still there to be refused.
        assert_eq!(label(Some("a\0"), Some("\u{1b}")), Err(vec![LabelField::Issuer, LabelField::User]));
    }

    #[test]
    fn w12_defaults_are_trimmed_too() {
        let label = totp_label(None, None, " Northwind ", " kim ").unwrap();
        assert_eq!((label.issuer.as_str(), label.user.as_str()), ("Northwind", "kim"));
    }

    #[test]
    fn w12_colons_do_not_reach_the_uri() {
        for (shown, part) in [
            ("Northwind", "Northwind"),
            ("A:B", "AB"),
            (":a::b:", "ab"),
            ("a : b", "a  b"),
            (":", "default"),
            (":::", "default"),
            (": :", "default"),
            ("", "default"),
            ("％：", "％："),
        ] {
            assert_eq!(uri_part(shown, "de:fault"), part, "{shown:?}");
        }
    }

    #[test]
    fn w12_the_default_user_is_the_user_id_if_it_leaves_something_else_the_factor() {
        let factor = "auth_factor_01M8E81GPAM7T0V3X6Y9A1C5EF";
        assert_eq!(default_user(None, factor), factor);
        for (user_id, default) in
            [("u-4711", "u-4711"), ("tenant:7", "tenant:7"), (" kim ", " kim "), (" ", factor), (":", factor)]
        {
            assert_eq!(default_user(Some(&UserId::parse(user_id).unwrap()), factor), default, "{user_id:?}");
        }
    }

    proptest! {
        #[test]
        fn any_names_give_a_sound_label_or_a_complaint(issuer in any::<String>(), user in any::<String>()) {
            if let Ok(label) = totp_label(Some(&issuer), Some(&user), "Northwind", "u-4711") {
                for shown in [&label.issuer, &label.user] {
                    prop_assert!(!shown.is_empty() && shown.trim() == shown && shown.chars().count() <= 255);
                    let part = uri_part(shown, "default");
                    prop_assert!(!part.trim().is_empty() && !part.contains(':'));
                }
                // What is shown, sent again, is the same label.
                let again = totp_label(Some(&label.issuer), Some(&label.user), "x", "y");
                prop_assert_eq!(again, Ok(label));
            }
        }
    }
}
