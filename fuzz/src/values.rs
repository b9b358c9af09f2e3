//! Values in a request: numbers, ids, names, templates, codes.

use crate::utf8;
use domain::{
    id::{ChallengeId, FactorId},
    phone::PhoneNumber,
    sms_template::{MAX_TEMPLATE_CHARS, SmsTemplate},
    user_id::UserId,
};
use secrets::Submitted;

pub(crate) const PHONE_WORDS: &[&[u8]] =
    &[b"+", b"+1", b"(", b")", b"-", b".", b" ", b"415", b"5550101", b"00", "٣".as_bytes()];
pub(crate) const ID_WORDS: &[&[u8]] =
    &[b"auth_factor_", b"auth_challenge_", b"01M865GZVFACB5VZQPPCYD40W3", b"8", b"I", b"l", b"0"];
pub(crate) const TEXT_WORDS: &[&[u8]] = &[
    b"{{code}}",
    b"{{ code }}",
    b"{{",
    b"}}",
    b"{",
    b"http://",
    b".com",
    b"a.b",
    b"123456",
    b"10.0.0.1",
    b"\n",
    b"-",
    b" ",
    "\u{ff0e}".as_bytes(),
    "\u{200b}".as_bytes(),
    b"www",
    b"@",
];

/// W10: a number that is read is E.164, reads back as itself, and does not show in `Debug`.
pub fn phone(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let Ok(number) = PhoneNumber::parse(text) else { return };
    let written = number.reveal();
    let digits = written.strip_prefix('+').expect("it begins with +");
    assert!((8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()), "{written}");
    assert_eq!(PhoneNumber::parse(written).as_ref(), Ok(&number));
    assert_eq!(PhoneNumber::from_e164_trusted(written.to_owned()).as_ref(), Some(&number));
    assert!(!format!("{number:?}").contains(digits));
    // No digit is invented or lost, but for the `1` of a North American number.
    let given: String = text.chars().filter(char::is_ascii_digit).collect();
    assert!(given == digits || format!("1{given}") == digits);
}

/// W3: an id is exactly what it would print, and any 16 bytes are one.
pub fn id(data: &[u8]) {
    if let Some(text) = utf8(data) {
        if let Some(id) = FactorId::parse(text) {
            assert_eq!(id.to_string(), text);
            assert!(ChallengeId::parse(text).is_none(), "one id of two kinds");
        }
        if let Some(id) = ChallengeId::parse(text) {
            assert_eq!(id.to_string(), text);
        }
    }
    if let Some(bytes) = data.first_chunk::<16>() {
        let id = FactorId::from_bytes(*bytes);
        assert_eq!(FactorId::parse(&id.to_string()), Some(id));
    }
}

/// W2, W9, W11: names, codes and templates.
pub fn text(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    if let Ok(user) = UserId::parse(text) {
        let chars = user.as_str().chars().count();
        assert!((1..=255).contains(&chars) && !user.as_str().chars().any(char::is_control));
    }
    if let Submitted::WellFormed(code) = Submitted::parse(text) {
        let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        assert_eq!(code.reveal(), kept);
    }
    if let Ok(template) = SmsTemplate::parse(text) {
        let message = template.render("493817");
        assert!(
            message.contains("493817") && !message.contains("{{code}}") && !message.contains("{{ code }}")
        );
        assert!(message.chars().count() <= MAX_TEMPLATE_CHARS && !message.contains("://"), "{message}");
        assert_eq!(SmsTemplate::parse(template.as_str()), Ok(template));
    }
}
