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
