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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(name: &str, value: &str) -> Result<String, SettingError> {
        let mut settings = Settings::default();
        let result = settings.set(name, value);
        if result.is_err() {
            assert_eq!(settings, Settings::default(), "a refused value changed something");
        }
        result.map(|()| settings.get(name).unwrap())
    }

    #[test]
    fn every_setting_of_the_contract_is_there_with_its_default() {
        let settings = Settings::default();
        let listed: Vec<(&str, String, bool)> = settings.iter().collect();
        let expected = [
            ("strict_parameters", "off"),
            ("rate_limit", "6000"),
            ("totp_challenge_ttl", "600"),
            ("purge_unverified_after", "off"),
            ("factor_lock_after", "10"),
            ("user_lock_after", "20"),
            ("sms_allowed_prefixes", "+1"),
            ("sms_denied_prefixes", "none"),
            ("sms_default_template", "Your verification code is {{code}}."),
            ("sms_per_number", "5/10m,20/24h"),
            ("sms_daily_quota", "1000"),
            ("sms_wait_ms", "2000"),
            ("default_totp_issuer", ""),
            ("max_factors_per_user", "0"),
            ("allow_secret_on_enroll", "off"),
            ("list_verified_only", "off"),
        ];
        assert_eq!(listed, expected.map(|(name, text)| (name, text.to_owned(), true)));
    }

    #[test]
    fn every_default_can_be_set_and_every_setting_is_explained() {
        for spec in catalogue() {
            assert_eq!(set(spec.name, spec.default_text).as_deref(), Ok(spec.default_text), "{}", spec.name);
            assert!(!spec.range_text.is_empty() && spec.meaning.ends_with('.'), "{}", spec.name);
        }
    }

    #[test]
    fn values_just_inside_their_range_are_kept() {
        let issuer = "é".repeat(255);
        for (name, value, kept) in [
            ("totp_challenge_ttl", "60", "60"),
            ("totp_challenge_ttl", "86400", "86400"),
            ("purge_unverified_after", "3600", "3600"),
            ("purge_unverified_after", "315360000", "315360000"),
            ("factor_lock_after", "5", "5"),
            ("factor_lock_after", "50", "50"),
            ("user_lock_after", "10", "10"),
            ("user_lock_after", "200", "200"),
            ("rate_limit", "0", "0"),
            ("rate_limit", "1", "1"),
            ("rate_limit", "10000000", "10000000"),
            ("strict_parameters", "on", "on"),
            ("strict_parameters", "true", "on"),
            ("allow_secret_on_enroll", "on", "on"),
            ("list_verified_only", "on", "on"),
            ("list_verified_only", "false", "off"),
            ("sms_allowed_prefixes", "+44, +1,+1", "+1,+44"),
            ("sms_allowed_prefixes", "none", "none"),
            ("sms_denied_prefixes", "+1876", "+1876"),
            ("sms_denied_prefixes", "", "none"),
            ("sms_default_template", "{{ code }}\nBye", "{{ code }}\nBye"),
            ("sms_per_number", "1/1h", "1/1h"),
            ("sms_daily_quota", "0", "0"),
            ("sms_daily_quota", "10000000", "10000000"),
            ("sms_wait_ms", "0", "0"),
            ("sms_wait_ms", "30000", "30000"),
            ("default_totp_issuer", " Northwind ", "Northwind"),
            ("default_totp_issuer", " ", ""),
            ("default_totp_issuer", issuer.as_str(), issuer.as_str()),
            ("max_factors_per_user", "1", "1"),
            ("max_factors_per_user", "10000", "10000"),
            ("rate_limit", "0007", "7"),
        ] {
            assert_eq!(set(name, value).as_deref(), Ok(kept), "{name} {value}");
        }
    }

    #[test]
    fn values_just_outside_their_range_are_refused_and_change_nothing() {
        let long_issuer = "é".repeat(256);
        let many_prefixes = vec!["+1"; 257].join(",");
        for (name, value) in [
            ("totp_challenge_ttl", "59"),
            ("totp_challenge_ttl", "86401"),
            ("totp_challenge_ttl", "10m"),
            ("totp_challenge_ttl", "off"),
            ("purge_unverified_after", "3599"),
            ("purge_unverified_after", "0"),
            ("purge_unverified_after", "315360001"),
            ("purge_unverified_after", "OFF"),
            ("factor_lock_after", "4"),
            ("factor_lock_after", "51"),
            ("user_lock_after", "9"),
            ("user_lock_after", "201"),
            ("rate_limit", "10000001"),
            ("rate_limit", "-1"),
            ("rate_limit", "+1"),
            ("rate_limit", "1e3"),
            ("rate_limit", "6,000"),
            ("rate_limit", ""),
            ("rate_limit", " 1"),
            ("rate_limit", "\u{0661}"),
            ("rate_limit", "99999999999999999999"),
            ("strict_parameters", ""),
            ("strict_parameters", "1"),
            ("strict_parameters", "ON"),
            ("allow_secret_on_enroll", "yes"),
            ("list_verified_only", "o"),
            ("sms_allowed_prefixes", "1"),
            ("sms_allowed_prefixes", "+"),
            ("sms_allowed_prefixes", "+1,"),
            ("sms_allowed_prefixes", "+1 +44"),
            ("sms_allowed_prefixes", many_prefixes.as_str()),
            ("sms_denied_prefixes", "+1234567890123456"),
            ("sms_default_template", ""),
            ("sms_default_template", "no place for it"),
            ("sms_default_template", "{{code}}.com"),
            ("sms_per_number", ""),
            ("sms_per_number", "none"),
            ("sms_per_number", "5/25h"),
            ("sms_daily_quota", "10000001"),
            ("sms_wait_ms", "30001"),
            ("default_totp_issuer", "::"),
            ("default_totp_issuer", "a\nb"),
            ("default_totp_issuer", long_issuer.as_str()),
            ("max_factors_per_user", "10001"),
        ] {
            let error = set(name, value).unwrap_err();
            assert!(
                matches!(error, SettingError::Refused { name: of, .. } if of == name),
                "{name} {value}: {error}"
            );
        }
    }

    #[test]
    fn values_are_typed() {
        let mut settings = Settings::default();
        for (name, value) in [
            ("rate_limit", "0"),
            ("max_factors_per_user", "3"),
            ("purge_unverified_after", "86400"),
            ("default_totp_issuer", "Acme"),
            ("strict_parameters", "on"),
            ("sms_denied_prefixes", "+1876"),
        ] {
            settings.set(name, value).unwrap();
        }
        assert_eq!(settings.rate_limit, None);
        assert_eq!(settings.max_factors_per_user, NonZeroU32::new(3));
        assert_eq!(settings.purge_unverified_after, Some(86_400));
        assert_eq!(settings.default_totp_issuer.as_deref(), Some("Acme"));
        assert!(settings.strict_parameters && !settings.list_verified_only);
        assert_eq!(settings.sms_prefixes.denied.len(), 1);
        let changed: Vec<&str> =
            settings.iter().filter(|(.., is_default)| !is_default).map(|s| s.0).collect();
        assert_eq!(changed.len(), 6);
    }

    #[test]
    fn a_complaint_says_what_is_allowed_and_not_what_was_given() {
        let error = set("factor_lock_after", "51").unwrap_err();
        assert_eq!(error.to_string(), "setting `factor_lock_after` is out of range; allowed: 5 to 50");
        let error = set("sms_default_template", "hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = set("factor_lock_afer", "10").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no setting `factor_lock_afer`; did you mean `factor_lock_after`?"
        );
        let error = set("colour\n", "blue").unwrap_err();
        assert_eq!(error.to_string(), "there is no setting `colour`");
        assert_eq!(Settings::default().get("colour"), None);
    }

    proptest! {
        /// Any text for any setting is refused, or printed as something that reads as the same value.
        #[test]
        fn whatever_is_accepted_survives_being_printed(at in 0_usize..16, text in prop_oneof![
            any::<String>(), "[0-9]{1,9}", "(\\+[0-9]{1,4},){0,3}\\+[0-9]{1,4}", "[ -~é]{0,20}\\{\\{code\\}\\}[ -~]{0,9}",
        ]) {
            let spec = &catalogue()[at];
            let mut once = Settings::default();
            if once.set(spec.name, &text).is_ok() {
                let printed = once.get(spec.name).unwrap();
                let mut twice = Settings::default();
                prop_assert_eq!(twice.set(spec.name, &printed), Ok(()));
                prop_assert_eq!(twice, once);
            }
        }

        #[test]
        fn any_name_is_known_or_refused(name in any::<String>(), value in any::<String>()) {
            let result = Settings::default().set(&name, &value);
            prop_assert!(result.is_ok() || result.is_err_and(|error| !error.to_string().is_empty()));
        }
    }
}
