//! Vonage's SMS API, as its public documentation describes it.

use crate::{
    SECRET, TEXT, accepted,
    double::{Double, Reply, Request},
    kind, saying, send,
};
use countersign_delivery::{
    Credential, Sender as _,
    vonage::{Options, Vonage},
};
use data_encoding::BASE64;
use std::time::Duration;

const KEY: &str = "abcd1234";

fn refused(status: u32) -> Reply {
    let message = serde_json::json!({ "status": status.to_string(), "error-text": "to +4479" });
    Reply::Json(200, serde_json::json!({ "message-count": "1", "messages": [message] }).to_string())
}

/// What Vonage answers: always 200.
fn answer(request: &Request) -> Reply {
    if request.method == "GET" && request.path == "/account/get-balance" {
        let good = format!("Basic {}", BASE64.encode(format!("{KEY}:{SECRET}").as_bytes()));
        let status = if request.header("authorization") == good { 200 } else { 401 };
        return Reply::Json(status, r#"{"value":10.28,"autoReload":false}"#.into());
    }
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/sms/json"));
    assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
    let form = request.form();
    let known = [
        "api_key",
        "api_secret",
        "from",
        "to",
        "text",
        "type",
        "ttl",
        "callback",
        "client-ref",
        "status-report-req",
    ];
    assert!(form.keys().all(|name| known.contains(&name.as_str())), "{form:?}");
    if ["api_key", "api_secret", "from", "to", "text"].iter().any(|name| !form.contains_key(*name)) {
        return refused(2);
    }
    if (form["api_key"].as_str(), form["api_secret"].as_str()) != (KEY, SECRET) {
        return refused(4);
    }
    if !form["to"].bytes().all(|b| b.is_ascii_digit())
        || !["text", "unicode"].contains(&form["type"].as_str())
    {
        return refused(3);
    }
    let ttl: u64 = form["ttl"].parse().unwrap();
    assert!((20_000..=604_800_000).contains(&ttl), "{ttl}");
    let message = serde_json::json!({
        "to": form["to"], "message-id": "0A0000000123ABCD1", "status": "0",
        "remaining-balance": "3.14159265", "message-price": "0.03330000", "network": "12345",
    });
    Reply::Json(200, serde_json::json!({ "message-count": "1", "messages": [message] }).to_string())
}

fn sender(url: &str, secret: &str) -> Vonage {
    let options = Options {
        endpoint: Some(url.into()),
        key: KEY.into(),
        secret: Credential::new(secret).unwrap(),
        from: "Example & Co".into(),
        callback: Some("https://auth.example.com/countersign/callbacks/vo".into()),
    };
    Vonage::new(options, Duration::from_secs(20), None).unwrap()
}

#[tokio::test]
async fn vonage_takes_a_text_and_is_told_how_long_it_is_of_use_and_in_which_alphabet() {
    let double = Double::new(answer).await;
    let vonage = sender(&double.url, SECRET);
    for (text, seconds, expected) in
        [(TEXT, 600, ["text", "600000"]), ("Код 042042", 3, ["unicode", "20000"])]
    {
        let sent = vonage.send(&saying("+447700900123", text), Duration::from_secs(seconds)).await;
        assert_eq!(sent, accepted("0A0000000123ABCD1"));
        let form = double.seen().pop().unwrap().form();
        assert_eq!([form["type"].as_str(), form["ttl"].as_str()], expected);
        assert_eq!((form["text"].as_str(), form["to"].as_str()), (text, "447700900123"));
    }
    assert!(vonage.check().await.is_ok());
    let foreign = sender(&double.url, "other");
    assert_eq!(kind(&send(&foreign, "+447700900123").await), "unusable");
    assert!(foreign.check().await.is_err());
}

#[tokio::test]
async fn w11_each_status_of_vonage_says_what_may_be_done_next() {
    for (status, outcome) in [
        (1, "busy"),
        (2, "declined"),
        (3, "declined"),
        (4, "unusable"),
        (5, "unknown"),
        (6, "declined"),
        (7, "rejected_number"),
        (8, "unusable"),
        (9, "unusable"),
        (10, "busy"),
        (11, "unusable"),
        (12, "declined"),
        (14, "unusable"),
        (15, "declined"),
        (22, "declined"),
        (23, "declined"),
        (29, "declined"),
        (33, "rejected_number"),
        (999, "unknown"),
    ] {
        let double = Double::new(move |_| refused(status)).await;
        let sent = send(&sender(&double.url, SECRET), "+447700900123").await;
        assert_eq!(kind(&sent), outcome, "status {status}");
        assert!(!sent.cause().contains("4479"), "{sent:?}");
    }
}

#[tokio::test]
async fn w11_an_answer_of_vonage_that_contradicts_itself_is_an_unknown_outcome() {
    for body in [
        "",
        "<html>",
        "{}",
        r#"{"messages":[]}"#,
        r#"{"messages":[{"status":"zero"}]}"#,
        r#"{"messages":[{"status":"0","message-id":"1"},{"status":"1"}]}"#,
        r#"{"messages":[{"status":"9"},{"status":"0"}]}"#,
    ] {
        let double = Double::new(move |_| Reply::Json(200, body.into())).await;
        assert_eq!(kind(&send(&sender(&double.url, SECRET), "+447700900123").await), "unknown", "{body}");
    }
    for (status, outcome) in [(401, "unusable"), (429, "busy"), (420, "declined"), (502, "unknown")] {
        let double = Double::new(move |_| Reply::Json(status, "{}".into())).await;
        assert_eq!(kind(&send(&sender(&double.url, SECRET), "+447700900123").await), outcome, "{status}");
    }
}
