use super::*;
use crate::Credential;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use secrets::{MacHash, mac_fits};

const DELIVERY: &str = "delivery_01M8E82GGRN8R2S6W9Z1D3F7H0";
const TARGET: &str = "/countersign/callbacks/tw?delivery=delivery_01M8E82GGRN8R2S6W9Z1D3F7H0";

fn read(receiver: &dyn Receiver, header: (&str, &str), body: &str) -> Result<Report, Unread> {
    read_at(receiver, TARGET, header, body)
}

fn read_at(
    receiver: &dyn Receiver,
    target: &str,
    (name, value): (&str, &str),
    body: &str,
) -> Result<Report, Unread> {
    let header = |asked: &str| (asked == name).then_some(value);
    let query = target.split_once('?').map_or("", |(_, query)| query);
    receiver.read(&Callback { target, query, header: &header, body: body.as_bytes() })
}

fn credential(text: &str) -> Credential {
    Credential::new(text).unwrap()
}

fn delivered(message: Option<&str>) -> Report {
    let about = About::Ours(DeliveryId::parse(DELIVERY).unwrap());
    Report { about, message_id: message.map(str::to_owned), stage: Stage::Delivered, reason: String::new() }
}

/// Every way of changing one character of a text, and of leaving one out.
fn changed(text: &str) -> impl Iterator<Item = String> + '_ {
    (0..text.len()).flat_map(|n| {
        let (before, after) = (&text[..n], &text[n + 1..]);
        let other = if &text[n..=n] == "1" { "2" } else { "1" };
        [format!("{before}{other}{after}"), format!("{before}{after}")]
    })
}

/// The signatures of this file were made with the providers' own libraries for Python: twilio 9, vonage-http-client 1,
/// vonage-jwt 1.
const TWILIO_BODY: &str = "MessageSid=SM1f0e8ae6ade43cb3c0ce4525424e404f&MessageStatus=delivered&To=%2B14155550101&\
    From=%2B15005550006&AccountSid=AC1&ApiVersion=2010-04-01&SmsStatus=delivered&SmsSid=SM1f0e8ae6ade43cb3c0ce4525424e404f";

fn twilio(url: &str) -> Twilio {
    Twilio::new(url, credential("12345678901234567890123456789012"))
}

fn by_twilio(receiver: &Twilio, signature: &str, body: &str) -> Result<Report, Unread> {
    read(receiver, ("x-twilio-signature", signature), body)
}

#[test]
fn f69_twilio_s_signature_fits_with_and_without_the_port_and_nothing_else_does() {
    let (bare, port) = ("cp8/ZW9Q7KwXaOgRaOOc/qNELnM=", "iZk1A0tHKslKEjx43g1as7L1A9Q=");
    let report = delivered(Some("SM1f0e8ae6ade43cb3c0ce4525424e404f"));
    for url in ["https://auth.example.com", "https://auth.example.com:443"] {
        for signature in [bare, port] {
            assert_eq!(by_twilio(&twilio(url), signature, TWILIO_BODY).as_ref(), Ok(&report), "{url}");
        }
    }
    let receiver = twilio("https://auth.example.com");
    for wrong in changed(bare).chain(["".into(), "é".into(), format!("{bare}{bare}")]) {
        assert_eq!(by_twilio(&receiver, &wrong, TWILIO_BODY), Err(Unread::Forged), "{wrong}");
    }
    // Names and values are signed without what stands between them, so that alone may be missing.
    let signed = |body: &str| body.replacen('=', "", 100).replace('&', "&&");
    for body in changed(TWILIO_BODY).filter(|body| signed(body) != signed(TWILIO_BODY)) {
        assert_eq!(by_twilio(&receiver, bare, &body), Err(Unread::Forged), "{body}");
    }
    for target in changed(TARGET) {
        let read = read_at(&receiver, &target, ("x-twilio-signature", bare), TWILIO_BODY);
        assert_eq!(read, Err(Unread::Forged), "{target}");
    }
    for url in ["https://auth.example.org", "http://auth.example.com"] {
        assert_eq!(by_twilio(&twilio(url), bare, TWILIO_BODY), Err(Unread::Forged), "{url}");
    }
    assert_eq!(read(&receiver, ("x-other", bare), TWILIO_BODY), Err(Unread::Forged));
}

#[test]
fn twilio_says_why_a_message_did_not_arrive() {
    let receiver = twilio("https://auth.example.com");
    let body = "b=2+%26%3D%C3%A9&a=&MessageStatus=undelivered&ErrorCode=30005";
    let read = by_twilio(&receiver, "AJBb12jIRoYoaVcNR1HvFDujrt0=", body).unwrap();
    assert_eq!((read.stage, read.reason.as_str()), (Stage::Undelivered, "the number is not in use (30005)"));
    assert_eq!(words(&[("1", "x")], "77"), "code 77");
    for odd in ["", "+14155550101", "abc", "1234567"] {
        assert_eq!(words(&[], odd), "", "what is no code is not repeated");
    }
}

const VONAGE_PAIRS: [(&str, &str); 14] = [
    ("msisdn", "14155550101"),
    ("to", "Northwind"),
    ("network-code", "310090"),
    ("messageId", "0C000000217B7F02"),
    ("price", "0.03330000"),
    ("status", "delivered"),
    ("scts", "2011271015"),
    ("err-code", "0"),
    ("api-key", "abcd1234"),
    ("client-ref", DELIVERY),
    ("message-timestamp", "2026-11-27 10:15:34"),
    ("timestamp", "1795774534"),
    ("nonce", "c5b0a5f6-9a6e"),
    ("x", "a&b=c"),
];

fn vonage_form(pairs: &[(&str, &str)], sig: &str) -> String {
    let mut fields = pairs.to_vec();
    fields.push(("sig", sig));
    crate::http::form(&fields)
}

#[test]
fn f69_vonage_s_signed_receipts_are_read_as_form_and_as_json_and_nothing_else_is() {
    let receiver = Vonage::new(credential("my_signature_secret_1"));
    let by = |body: &str| read(&receiver, ("content-type", "x"), body);
    let sha256 = "8d6f9d2baa943340d94533cb3c2736a52d932e3e8711a2818e9191730aea9b79";
    let sha512 = "75fb375dfeeba53de776535e3f3eba85a17fecf9edb095290c8f3eb232f6e652ab4e27ae43b062cd64541aae594b4951e38b35b29fac4abd299d4aacb087fae7";
    let report = delivered(Some("0C000000217B7F02"));
    for sig in [sha256, sha512, &sha256.to_uppercase()] {
        assert_eq!(by(&vonage_form(&VONAGE_PAIRS, sig)).as_ref(), Ok(&report));
        let mut json: serde_json::Map<String, serde_json::Value> =
            VONAGE_PAIRS.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        json.insert("sig".into(), sig.into());
        assert_eq!(by(&serde_json::Value::from(json).to_string()).as_ref(), Ok(&report));
    }
    for sig in changed(sha256).chain(["".into(), "d41d8cd98f00b204e9800998ecf8427e".into()]) {
        assert_eq!(by(&vonage_form(&VONAGE_PAIRS, &sig)), Err(Unread::Forged), "{sig}");
    }
    for n in 0..VONAGE_PAIRS.len() {
        let mut pairs = VONAGE_PAIRS.to_vec();
        pairs[n].1 = "other";
        assert_eq!(by(&vonage_form(&pairs, sha256)), Err(Unread::Forged));
        pairs.remove(n);
        assert_eq!(by(&vonage_form(&pairs, sha256)), Err(Unread::Forged));
    }
    // Two pairs in the name of one.
    let mut joined = VONAGE_PAIRS.to_vec();
    joined.retain(|(name, _)| !["err-code", "message-timestamp"].contains(name));
    joined.push(("err-code=0&message-timestamp", "2026-11-27 10:15:34"));
    assert_eq!(by(&vonage_form(&joined, sha256)), Err(Unread::Forged));
    for body in ["", "{", "[1]", "sig", "sig=&sig=", "{\"sig\":{}}"] {
        assert_eq!(by(body), Err(Unread::Forged), "{body}");
    }
}

#[test]
fn f69_vonage_s_token_beside_a_body_counts_only_with_the_digest_of_that_body() {
    let receiver = Vonage::new(credential("my_signature_secret_1_of_32_chars"));
    let body = format!(r#"{{"status":"delivered","client-ref":"{DELIVERY}"}}"#);
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjAwMDAwMDAsImp0aSI6ImM1YjBhNWY2IiwiaXNzIjoiVm9uYWdlIiwicGF5bG9hZF9oYXNoIjoiYzM4M2Y4OGNlYzM4ZjAyOWMyODVlZmFjMTYzMGZjNzFhNmJkYjk4MjJhNzk0Njc4OWJlMjliOGZkOWU1MWM2YiIsImFwaV9rZXkiOiJhYmNkMTIzNCJ9.iJ74NsBDU2Y_ImN0HADHl-hL59cb5PejvkP1SSSNa-I";
    let by = |token: &str, body: &str| read(&receiver, ("authorization", &format!("Bearer {token}")), body);
    assert_eq!(by(token, &body), Ok(delivered(None)));
    for wrong in changed(token) {
        assert_eq!(by(&wrong, &body), Err(Unread::Forged), "{wrong}");
    }
    assert_eq!(by(token, &body.replace("delivered", "failed")), Err(Unread::Forged));
    // Another way of signing, none at all, and a token that says nothing of the body.
    let parts: Vec<&str> = token.split('.').collect();
    let none = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
    assert_eq!(by(&format!("{none}.{}.", parts[1]), &body), Err(Unread::Forged));
    assert_eq!(by(&format!("{none}.{}.{}", parts[1], parts[2]), &body), Err(Unread::Forged));
    assert_eq!(by(&format!("{token}.x"), &body), Err(Unread::Forged));
}

fn generic(rule: Rule) -> Generic {
    Generic::new(rule, credential("Jefe"))
}

fn rule() -> Rule {
    Rule {
        header: "X-Signature".into(),
        prefix: "sha256=".into(),
        reference: Some("/ref".into()),
        id: Some("/message/id".into()),
        status: "/status".into(),
        sent: vec!["2".into()],
        delivered: vec!["delivered".into()],
        undelivered: vec!["lost".into()],
        ..Rule::default()
    }
}

/// RFC 4231, test case 2: a body that is no JSON, signed.
const SIGNED: (&str, &str) =
    ("what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

fn signature(body: &str) -> String {
    // Found as whoever checks it finds it: byte by byte it is not to be had, so it is made here.
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = <Hmac<sha2::Sha256>>::new_from_slice(b"Jefe").unwrap();
    mac.update(body.as_bytes());
    let made = mac.finalize().into_bytes();
    assert!(mac_fits(MacHash::Sha256, b"Jefe", &[body.as_bytes()], &made));
    HEXLOWER.encode(&made)
}

#[test]
fn f69_a_gateway_s_signature_is_the_whole_hmac_of_the_body() {
    let receiver = generic(rule());
    let by = |signature: &str, body: &str| read(&receiver, ("x-signature", signature), body);
    assert_eq!(by(&format!("sha256={}", SIGNED.1), SIGNED.0), Err(Unread::Unreadable));
    for wrong in changed(SIGNED.1).chain(["".into()]) {
        assert_eq!(by(&format!("sha256={wrong}"), SIGNED.0), Err(Unread::Forged), "{wrong}");
    }
    assert_eq!(by(SIGNED.1, SIGNED.0), Err(Unread::Forged), "without what stands before it");
    let coded = BASE64.encode(&HEXLOWER.decode(SIGNED.1.as_bytes()).unwrap());
    let base64 = generic(Rule { prefix: String::new(), coding: Coding::Base64, ..rule() });
    assert_eq!(read(&base64, ("x-signature", &coded), SIGNED.0), Err(Unread::Unreadable));
}

#[test]
fn a_gateway_s_receipt_names_a_message_by_our_id_or_else_by_its_own() {
    let by = |rule: Rule, body: &str| {
        read(&generic(rule), ("x-signature", &format!("sha256={}", signature(body))), body)
    };
    let ours = format!(r#"{{"ref":"{DELIVERY}","status":"delivered","message":{{"id":7}}}}"#);
    assert_eq!(by(rule(), &ours), Ok(delivered(Some("7"))));
    let theirs = by(rule(), r#"{"ref":"x","status":2,"message":{"id":"m1"}}"#).unwrap();
    assert_eq!((theirs.about, theirs.stage), (About::Theirs("m1".into()), Stage::Sent));
    let lost = by(rule(), r#"{"status":"lost","message":{"id":"m1"}}"#).unwrap();
    assert_eq!((lost.stage, lost.reason.as_str()), (Stage::Undelivered, "its status is lost"));
    for (body, unread) in [
        (r#"{"status":"odd","message":{"id":"m1"}}"#, Unread::Idle),
        (r#"{"status":"lost"}"#, Unread::Idle),
        (r#"{"status":{},"message":{"id":"m1"}}"#, Unread::Unreadable),
        ("[]", Unread::Idle),
        ("", Unread::Unreadable),
    ] {
        assert_eq!(by(rule(), body), Err(unread), "{body}");
    }
    let unsound = |rule: Rule| rule.soundness().unwrap_err();
    assert_eq!(rule().soundness(), Ok(()));
    assert!(unsound(Rule { header: "a b".into(), ..rule() }).contains("header"));
    assert!(unsound(Rule { status: "status".into(), ..rule() }).contains("receipt.status"));
    assert!(unsound(Rule { reference: None, id: None, ..rule() }).contains("`reference` and `id`"));
    assert!(unsound(Rule { delivered: vec![], ..rule() }).contains("receipt.delivered"));
}
