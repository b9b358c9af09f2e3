//! A gateway that nobody has heard of, described by configuration.

use crate::{
    SECRET, accepted,
    double::{Double, Reply},
    kind, saying, send,
};
use countersign_delivery::{
    Credential, Sender as _, Sent,
    generic::{Generic, Options, Rule},
};
use std::time::Duration;

fn base(url: &str) -> Options {
    Options {
        url: format!("{url}/v1/send?to={{{{to}}}}"),
        headers: vec![
            ("Content-Type".into(), "application/json; charset=utf-8".into()),
            ("Authorization".into(), "Bearer {{secret}}".into()),
            ("Idempotency-Key".into(), "{{id}}".into()),
        ],
        body: Some(r#"{"text":"{{text}}","from":"{{from}}"}"#.into()),
        secret: Some(Credential::new(SECRET).unwrap()),
        from: Some("Us \"&\"".into()),
        ..Options::default()
    }
}

fn made(options: Options) -> Result<Generic, String> {
    Generic::new(options, Duration::from_secs(20), None)
}

#[tokio::test]
async fn a_gateway_gets_what_its_templates_say_each_value_written_as_its_place_demands() {
    let double = Double::new(|_| Reply::Json(202, r#"{"data":{"id":4711}}"#.into())).await;
    let options = Options { message_id: Some("/data/id".into()), ..base(&double.url) };
    let sender = made(options).unwrap();
    let text = "a \"b\" \\ {{code}}\n\u{e9} 042042";
    let sent = sender.send(&saying("+14155550101", text), Duration::from_secs(600)).await;
    assert_eq!(sent, accepted("4711"));
    let seen = double.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/send?to=%2B14155550101"));
    assert_eq!(seen.header("authorization"), format!("Bearer {SECRET}"));
    assert!(seen.header("idempotency-key").starts_with("delivery_"));
    assert_eq!(seen.header("content-type"), "application/json; charset=utf-8");
    let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body, serde_json::json!({ "text": text, "from": "Us \"&\"" }));
}

#[tokio::test]
async fn a_gateway_may_be_asked_by_get_with_a_user_and_a_password() {
    let double = Double::new(|_| Reply::Json(200, String::new())).await;
    let url = format!("{}/?n={{{{to_digits}}}}&c={{{{code}}}}", double.url);
    let options = Options {
        method: Some("GET".into()),
        url,
        key: Some("us".into()),
        secret: Some(Credential::new("pw").unwrap()),
        ..Options::default()
    };
    assert_eq!(send(&made(options).unwrap(), "+14155550101").await, Sent::Accepted(None));
    let seen = double.seen().pop().unwrap();
    assert_eq!(seen.path, "/?n=14155550101&c=042042");
    assert_eq!(seen.header("authorization"), "Basic dXM6cHc=");
}

#[tokio::test]
async fn w11_the_answer_of_a_gateway_is_read_by_the_rule_for_it() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    let rule = Rule {
        pointer: "/status".into(),
        accepted: words("0 queued"),
        not_sent: words("full"),
        rejected_number: words("13 barred"),
    };
    for (status, body, outcome) in [
        (200, r#"{"status":0}"#, "accepted"),
        (200, r#"{"status":"queued"}"#, "accepted"),
        (200, r#"{"status":13}"#, "rejected_number"),
        (400, r#"{"status":"barred"}"#, "rejected_number"),
        (200, r#"{"status":"full"}"#, "busy"),
        (503, r#"{"status":"full"}"#, "busy"),
        (200, r#"{"status":"else"}"#, "unknown"),
        (200, "no JSON", "unknown"),
        (500, r#"{"status":0}"#, "unknown"),
        (400, r#"{"status":0}"#, "unknown"),
        (400, r#"{"status":"else"}"#, "declined"),
        (403, "", "unusable"),
        (429, "", "busy"),
        (408, "", "unknown"),
    ] {
        let double = Double::new(move |_| Reply::Json(status, body.into())).await;
        let options = Options { answer: Some(rule.clone()), ..base(&double.url) };
        assert_eq!(kind(&send(&made(options).unwrap(), "+14155550101").await), outcome, "{status} {body}");
    }
}

#[test]
fn what_is_wrong_with_a_description_is_told_before_anything_is_sent() {
    let good = || base("http://127.0.0.1:1");
    assert!(made(good()).is_ok());
    let header = |name: &str, value: &str| {
        let mut headers = good().headers;
        headers.push((name.into(), value.into()));
        headers
    };
    let rule = |pointer: &str| Some(Rule { pointer: pointer.into(), ..Rule::default() });
    let body = |text: &str| Some(text.to_owned());
    let cases = [
        ("`method`", Options { method: body("DELETE"), ..good() }),
        (
            "`url` must begin with https",
            Options { url: "http://gateway.example.com/{{to}}".into(), ..good() },
        ),
        ("`url`", Options { url: "https://{{to}}.example.com/".into(), ..good() }),
        ("{{nme}}", Options { body: body("{{nme}}"), ..good() }),
        ("not JSON", Options { body: body(r#"{"text":{{text}}}"#), ..good() }),
        ("{{to}}", Options { url: "https://h/".into(), ..good() }),
        ("{{text}}", Options { body: body("{}"), ..good() }),
        ("content-type", Options { headers: good().headers.split_off(1), ..good() }),
        ("`from` is missing", Options { from: None, ..good() }),
        ("a secret goes with", Options { secret: None, ..good() }),
        ("`headers.host`", Options { headers: header("host", "other"), ..good() }),
        ("`headers.a b`", Options { headers: header("a b", "x"), ..good() }),
        ("several lines", Options { headers: header("x", "{{text}}"), ..good() }),
        ("`headers.x`", Options { headers: header("x", "a\r\nb: c"), ..good() }),
        ("JSON pointer", Options { answer: rule("status"), ..good() }),
        ("`answer.accepted`", Options { answer: rule("/status"), ..good() }),
        ("`message_id`", Options { message_id: body("id"), ..good() }),
    ];
    for (named, options) in cases {
        let said = made(options).err().unwrap_or_else(|| panic!("{named} is not refused"));
        assert!(said.contains(named), "{named:?} is not in {said:?}");
    }
}
