//! What settings there are. The one list that commands, documents and checks are made from.

use super::{
    Settings,
    values::{
        issuer, number, on_off, optional_number, prefixes, print_on_off, print_optional, print_prefixes,
    },
};
use crate::sms_template::SmsTemplate;

/// One setting: how it is called, what it may be and what it does.
pub struct SettingSpec {
    /// The name on the wire and on the command line.
    pub name: &'static str,
    /// The default, in the text form that [`Settings::get`] prints.
    pub default_text: &'static str,
    /// What values are allowed, for people.
    pub range_text: &'static str,
    /// What it does, in one sentence.
    pub meaning: &'static str,
    /// Reads a value into the settings; what is wrong with it otherwise.
    pub(super) read: fn(&mut Settings, &str) -> Result<(), &'static str>,
    /// The value as text.
    pub(super) print: fn(&Settings) -> String,
}

/// Every setting of the wire contract, in the order of its sections.
pub fn catalogue() -> &'static [SettingSpec] {
    &CATALOGUE
}

static CATALOGUE: [SettingSpec; 16] = [
    SettingSpec {
        name: "strict_parameters",
        default_text: "off",
        range_text: "on or off",
        meaning: "Refuse unknown body fields and query parameters with 422 instead of ignoring them.",
        read: |s, text| on_off(text).map(|value| s.strict_parameters = value),
        print: |s| print_on_off(s.strict_parameters),
    },
    SettingSpec {
        name: "rate_limit",
        default_text: "6000",
        range_text: "0 to 10000000; 0 is no limit",
        meaning: "How many requests one API key may make in 60 seconds.",
        read: |s, text| optional_number(text, 10_000_000).map(|value| s.rate_limit = value),
        print: |s| print_optional(s.rate_limit),
    },
    SettingSpec {
        name: "totp_challenge_ttl",
        default_text: "600",
        range_text: "60 to 86400 seconds",
        meaning: "How many seconds a challenge of a TOTP factor can be answered.",
        read: |s, text| number(text, 60..=86_400).map(|value| s.totp_challenge_ttl = value),
        print: |s| s.totp_challenge_ttl.to_string(),
    },
    SettingSpec {
        name: "purge_unverified_after",
        default_text: "off",
        range_text: "off, or 3600 to 315360000 seconds",
        meaning: "At what age in seconds a factor that was never verified is removed.",
        read: |s, text| {
            let value = if text == "off" { None } else { Some(number(text, 3_600..=315_360_000)?) };
            s.purge_unverified_after = value;
            Ok(())
        },
        print: |s| s.purge_unverified_after.map_or_else(|| "off".to_owned(), |seconds| seconds.to_string()),
    },
    SettingSpec {
        name: "factor_lock_after",
        default_text: "10",
        range_text: "5 to 50",
        meaning: "From which wrong attempt in a row on, each one locks its factor for a while.",
        read: |s, text| number(text, 5..=50).map(|value| s.factor_lock_after = value),
        print: |s| s.factor_lock_after.to_string(),
    },
    SettingSpec {
        name: "user_lock_after",
        default_text: "20",
        range_text: "10 to 200",
        meaning: "How many wrong attempts in 24 hours over all factors of one user hold up every further one.",
        read: |s, text| number(text, 10..=200).map(|value| s.user_lock_after = value),
        print: |s| s.user_lock_after.to_string(),
    },
    SettingSpec {
        name: "sms_allowed_prefixes",
        default_text: "+1",
        range_text: "up to 256 prefixes such as +1 or +4420, separated by commas; or none",
        meaning: "The beginnings of phone numbers that may be sent to; the longest match on both lists decides, \
                  and +1 covers some twenty countries.",
        read: |s, text| prefixes(text).map(|value| s.sms_prefixes.allowed = value),
        print: |s| print_prefixes(&s.sms_prefixes.allowed),
    },
    SettingSpec {
        name: "sms_denied_prefixes",
        default_text: "none",
        range_text: "up to 256 prefixes such as +1876 or +44870, separated by commas; or none",
        meaning: "Exceptions to sms_allowed_prefixes: the longest match on both lists decides, and a tie is a \
                  refusal.",
        read: |s, text| prefixes(text).map(|value| s.sms_prefixes.denied = value),
        print: |s| print_prefixes(&s.sms_prefixes.denied),
    },
    SettingSpec {
        name: "sms_default_template",
        default_text: "Your verification code is {{code}}.",
        range_text: "1 to 320 characters with {{code}}, and no URL, domain name or IP address",
        meaning: "The text of a message for which the caller gives none.",
        read: |s, text| SmsTemplate::parse(text).map(|value| s.sms_default_template = value),
        print: |s| s.sms_default_template.as_str().to_owned(),
    },
    SettingSpec {
        name: "sms_per_number",
        default_text: "5/10m,20/24h",
        range_text: "1 to 4 limits such as 5/10m, separated by commas: 1 to 1000 messages in 1s to 24h (s, m or h)",
        meaning: "How many messages one phone number may get in a span of time, over all its factors.",
        read: |s, text| text.parse().map(|value| s.sms_per_number = value),
        print: |s| s.sms_per_number.to_string(),
    },
    SettingSpec {
        name: "sms_daily_quota",
        default_text: "1000",
        range_text: "0 to 10000000; 0 sends none",
        meaning: "How many messages the environment may send in 24 hours.",
        read: |s, text| number(text, 0..=10_000_000).map(|value| s.sms_daily_quota = value),
        print: |s| s.sms_daily_quota.to_string(),
    },
    SettingSpec {
        name: "sms_wait_ms",
        default_text: "2000",
        range_text: "0 to 30000 milliseconds; 0 does not wait",
        meaning: "How many milliseconds an answer waits to learn whether its message was accepted.",
        read: |s, text| number(text, 0..=30_000).map(|value| s.sms_wait_ms = value),
        print: |s| s.sms_wait_ms.to_string(),
    },
    SettingSpec {
        name: "default_totp_issuer",
        default_text: "",
        range_text: "up to 255 characters without control characters, and not only colons; empty is the \
                     environment's name",
        meaning: "The issuer shown by authenticators for TOTP factors enrolled without one.",
        read: |s, text| issuer(text).map(|value| s.default_totp_issuer = value),
        print: |s| s.default_totp_issuer.clone().unwrap_or_default(),
    },
    SettingSpec {
        name: "max_factors_per_user",
        default_text: "0",
        range_text: "0 to 10000; 0 is no limit",
        meaning: "How many factors may share one user_id.",
        read: |s, text| optional_number(text, 10_000).map(|value| s.max_factors_per_user = value),
        print: |s| print_optional(s.max_factors_per_user),
    },
    SettingSpec {
        name: "allow_secret_on_enroll",
        default_text: "off",
        range_text: "on or off",
        meaning: "Let POST /auth/factors/enroll accept a totp_secret, as the import route always does.",
        read: |s, text| on_off(text).map(|value| s.allow_secret_on_enroll = value),
        print: |s| print_on_off(s.allow_secret_on_enroll),
    },
    SettingSpec {
        name: "list_verified_only",
        default_text: "off",
        range_text: "on or off",
        meaning: "Leave factors that were never verified out of a user's list.",
        read: |s, text| on_off(text).map(|value| s.list_verified_only = value),
        print: |s| print_on_off(s.list_verified_only),
    },
];
