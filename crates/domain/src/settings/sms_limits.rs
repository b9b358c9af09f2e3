//! How many messages one phone number may get (W11): the setting `sms_per_number`.

use std::fmt;
use std::str::FromStr;

/// Most limits in one list.
const MAX_LIMITS: usize = 4;
/// Most messages in one limit.
const MAX_MESSAGES: u32 = 1_000;
/// The longest span, in seconds: 24 hours, so that nothing older has to be counted.
const MAX_SPAN_SECONDS: u32 = 86_400;

/// At most so many messages in any span of so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmsLimit {
    /// Most messages, 1 to 1,000.
    pub messages: u32,
    /// The span in seconds, 1 to 86,400.
    pub span_seconds: u32,
}

/// One to four limits, all of which hold. There is no way to have none: messages are bounded
/// (NIST SP 800-63B-4 §3.1.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsLimits(Vec<SmsLimit>);

impl SmsLimits {
    /// The limits, in the order given.
    pub fn as_slice(&self) -> &[SmsLimit] {
        &self.0
    }
}

impl Default for SmsLimits {
    /// 5 in 10 minutes and 20 in 24 hours.
    fn default() -> Self {
        Self(vec![
            SmsLimit { messages: 5, span_seconds: 600 },
            SmsLimit { messages: 20, span_seconds: MAX_SPAN_SECONDS },
        ])
    }
}

impl FromStr for SmsLimits {
    type Err = &'static str;

    /// Reads `5/10m,20/24h`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let limits = text
            .split(',')
            .take(MAX_LIMITS + 1)
            .map(|item| read_limit(item.trim()))
            .collect::<Result<Vec<_>, _>>()?;
        if limits.len() > MAX_LIMITS {
            return Err("has more than 4 limits");
        }
        Ok(Self(limits))
    }
}

fn read_limit(text: &str) -> Result<SmsLimit, &'static str> {
    let (messages, span) = text.split_once('/').ok_or("has a limit that is not a number, / and a span")?;
    let messages = digits(messages).filter(|n| (1..=MAX_MESSAGES).contains(n));
    let messages = messages.ok_or("has a limit that is not 1 to 1000 messages")?;
    let span_seconds = read_span(span).ok_or("has a limit whose span is not 1s to 24h")?;
    Ok(SmsLimit { messages, span_seconds })
}

fn read_span(text: &str) -> Option<u32> {
    let (count, unit) = [("s", 1), ("m", 60), ("h", 3_600)]
        .into_iter()
        .find_map(|(letter, seconds)| Some((text.strip_suffix(letter)?, seconds)))?;
    digits(count)?.checked_mul(unit).filter(|seconds| (1..=MAX_SPAN_SECONDS).contains(seconds))
}

/// A number in plain decimal digits; `str::parse` alone would let a sign through.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for SmsLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, limit) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let (count, unit) = match limit.span_seconds {
                seconds if seconds % 3_600 == 0 => (seconds / 3_600, "h"),
                seconds if seconds % 60 == 0 => (seconds / 60, "m"),
                seconds => (seconds, "s"),
            };
            write!(f, "{comma}{}/{count}{unit}", limit.messages)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn w11_five_in_ten_minutes_and_twenty_in_a_day() {
        let default = SmsLimits::default();
        assert_eq!(default.to_string(), "5/10m,20/24h");
        assert_eq!("5/10m, 20/24h".parse(), Ok(default));
    }

    #[test]
    fn limits_are_printed_in_the_largest_unit_that_fits() {
        for (text, printed) in [
            ("1/1s", "1/1s"),
            ("1/60s", "1/1m"),
            ("1/90s", "1/90s"),
            ("1/60m", "1/1h"),
            ("1/90m", "1/90m"),
            ("1/86400s", "1/24h"),
            ("1000/1440m", "1000/24h"),
            ("1/1s,2/1m,3/1h,4/24h", "1/1s,2/1m,3/1h,4/24h"),
        ] {
            assert_eq!(
                text.parse::<SmsLimits>().map(|limits| limits.to_string()),
                Ok(printed.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_one_to_four_bounded_limits_is_refused() {
        for text in [
            "",
            ",",
            "none",
            "0",
            "5",
            "5/",
            "/10m",
            "5/10",
            "5/10d",
            "5/10M",
            "5/m",
            "0/10m",
            "1001/10m",
            "5/0s",
            "5/86401s",
            "5/1441m",
            "5/25h",
            "5/4294967295h",
            "5/99999999999h",
            "+5/10m",
            "5/+10m",
            "-5/10m",
            "5.5/10m",
            "5/10m,",
            ",5/10m",
            "5/10m;20/24h",
            "5/10m/2",
            "1/1s,1/1s,1/1s,1/1s,1/1s",
            "\u{0665}/10m",
            "5/10é",
        ] {
            assert!(text.parse::<SmsLimits>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_limits_survive_being_printed(
            limits in proptest::collection::vec((1..=MAX_MESSAGES, 1..=MAX_SPAN_SECONDS), 1..=MAX_LIMITS),
        ) {
            let limits = limits.into_iter().map(|(messages, span_seconds)| SmsLimit { messages, span_seconds });
            let limits = SmsLimits(limits.collect());
            prop_assert_eq!(limits.to_string().parse(), Ok(limits));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9smh/, é]{0,20}") {
            if let Ok(limits) = text.parse::<SmsLimits>() {
                prop_assert!((1..=MAX_LIMITS).contains(&limits.as_slice().len()));
                prop_assert_eq!(limits.to_string().parse(), Ok(limits));
            }
        }
    }
}
