//! The settings of an environment: every value that the wire contract calls a setting.

mod catalogue;
mod nearest;
mod sms_limits;
mod values;

use std::num::NonZeroU32;

pub use catalogue::{SettingSpec, catalogue};
pub use sms_limits::{SmsLimit, SmsLimits};

use crate::phone::PrefixRules;
use crate::sms_template::SmsTemplate;
use crate::text::echo_value;

/// All settings of one environment, each named as on the wire.
///
/// Reading one never fails: values are checked when they are set, against the [`catalogue`], which also says
/// what each one means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Lifetime of a TOTP challenge in seconds, 60 to 86,400 (W8).
    pub totp_challenge_ttl: u32,
    /// Age in seconds at which a factor that was never verified is purged; never if absent (W8).
    pub purge_unverified_after: Option<u32>,
    /// The wrong attempt in a row on one factor that locks it first, 5 to 50 (W9).
    pub factor_lock_after: u32,
    /// Wrong attempts in 24 hours over all factors of one user that use up the user's budget, 10 to 200 (W9).
    pub user_lock_after: u32,
    /// Requests an API key may make in 60 seconds; any number if absent (W5).
    pub rate_limit: Option<NonZeroU32>,
    /// Whether unknown body fields and query parameters are refused (W4).
    pub strict_parameters: bool,
    /// Settings `sms_allowed_prefixes` and `sms_denied_prefixes` (W10).
    pub sms_prefixes: PrefixRules,
    /// The text of a message where the caller gives none (W11).
    pub sms_default_template: SmsTemplate,
    /// Messages to one number (W11).
    pub sms_per_number: SmsLimits,
    /// Messages the environment may send in 24 hours; 0 sends none (W11).
    pub sms_daily_quota: u32,
    /// How long an answer waits for the first outcome of a message, in milliseconds, up to 30,000 (W11).
    pub sms_wait_ms: u32,
    /// Issuer of TOTP factors enrolled without one; the environment's name if absent (W12).
    pub default_totp_issuer: Option<String>,
    /// Most factors that share a `user_id`; any number if absent (W12).
    pub max_factors_per_user: Option<NonZeroU32>,
    /// Whether route 1 accepts a `totp_secret` of the caller's (W12).
    pub allow_secret_on_enroll: bool,
    /// Whether lists leave out factors that were never verified (W14).
    pub list_verified_only: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            totp_challenge_ttl: 600,
            purge_unverified_after: None,
            factor_lock_after: 10,
            user_lock_after: 20,
            rate_limit: NonZeroU32::new(6_000),
            strict_parameters: false,
            sms_prefixes: PrefixRules::default(),
            sms_default_template: SmsTemplate::default(),
            sms_per_number: SmsLimits::default(),
            sms_daily_quota: 1_000,
            sms_wait_ms: 2_000,
            default_totp_issuer: None,
            max_factors_per_user: None,
            allow_secret_on_enroll: false,
            list_verified_only: false,
        }
    }
}

/// Why a setting was not set. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting `{name}`{}", nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// The name given, fit to be shown.
        name: String,
        /// The setting whose name is most like it, if any is.
        nearest: Option<&'static str>,
    },
    /// The value is not one the setting can have. The value itself is not repeated.
    #[error("setting `{name}` {given}; allowed: {allowed}")]
    Refused {
        /// The setting.
        name: &'static str,
        /// What is wrong with what was given, to be put after the name.
        given: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl Settings {
    /// Sets one setting from text.
    ///
    /// # Errors
    /// [`SettingError::Unknown`] or [`SettingError::Refused`]; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let Some(spec) = spec(name) else {
            return Err(SettingError::Unknown {
                name: echo_value(name).into_owned(),
                nearest: nearest::nearest(name, catalogue().iter().map(|spec| spec.name)),
            });
        };
        (spec.read)(self, value).map_err(|given| SettingError::Refused {
            name: spec.name,
            given,
            allowed: spec.range_text,
        })
    }

    /// The text of one setting, as [`Settings::set`] takes it; `None` if there is no such setting.
    pub fn get(&self, name: &str) -> Option<String> {
        spec(name).map(|spec| (spec.print)(self))
    }

    /// Every setting in the order of the catalogue: its name, its text, and whether that is the default.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, String, bool)> + '_ {
        catalogue().iter().map(|spec| {
            let text = (spec.print)(self);
            let is_default = text == spec.default_text;
            (spec.name, text, is_default)
        })
    }
}

fn spec(name: &str) -> Option<&'static SettingSpec> {
    catalogue().iter().find(|spec| spec.name == name)
}
