//! Twilio's Messages resource, as its public documentation describes it, its magic numbers included.

use crate::{
    SECRET, accepted,
    double::{Double, Reply, Request},
    hindrance, kind, saying, send, to,
};
use countersign_delivery::{
    Credential, Hindrance, Sender as _, Sent,
    twilio::{From, Options, Twilio},
};
use data_encoding::BASE64;
use std::time::Duration;

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const KEY: &str = "SK00000000000000000000000000000002";
const SERVICE: &str = "MG00000000000000000000000000000003";
const SID: &str = "SM00000000000000000000000000000004";

fn error(status: u16, code: u32) -> Reply {
    let body = serde_json::json!({
        "code": code, "message": "The 'To' number +15005550001 is not a valid phone number.",
        "more_info": format!("https://www.twilio.com/docs/errors/{code}"), "status": status,
    });
    Reply::Json(status, body.to_string())
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|d| (8..=15).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_digit()))
}

/// What Twilio answers.
fn answer(request: &Request) -> Reply {
    let users = [format!("{ACCOUNT}:{SECRET}"), format!("{KEY}:{SECRET}")];
    let good = users.map(|user| format!("Basic {}", BASE64.encode(user.as_bytes())));
    if !good.iter().any(|good| good == request.header("authorization")) {
        return error(401, 20003);
    }
    let messages = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
    if request.method == "GET" && request.path == format!("{messages}?PageSize=1") {
        return Reply::Json(200, r#"{"messages":[]}"#.into());
    }
    if request.method != "POST" || request.path != messages {
        return error(404, 20404);
    }
    if request.header("content-type") != "application/x-www-form-urlencoded" {
        return error(415, 20415);
    }
    let form = request.form();
    let field = |name: &str| form.get(name).map(String::as_str);
    let known = ["To", "From", "MessagingServiceSid", "Body", "ValidityPeriod", "StatusCallback"];
    assert!(form.keys().all(|name| known.contains(&name.as_str())), "{form:?}");
    let code = match (field("To"), field("From"), field("MessagingServiceSid"), field("Body")) {
        (None, ..) => Some(21604),
        (Some("+15005550001"), ..) => Some(21211),
        (Some("+15005550002"), ..) => Some(21612),
        (Some("+15005550003"), ..) => Some(21408),
        (Some("+15005550004"), ..) => Some(21610),
        (Some("+15005550009"), ..) => Some(21614),
        (Some(to), ..) if !is_e164(to) => Some(21211),
        (_, None, None, _) => Some(21603),
        (_, Some("+15005550007"), ..) => Some(21606),
        (_, _, Some(service), _) if !(service.starts_with("MG") && service.len() == 34) => Some(21701),
        (.., None | Some("")) => Some(21602),
        (.., Some(body)) if body.chars().count() > 1_600 => Some(21617),
        _ => None,
    };
    let validity = field("ValidityPeriod").map(|text| text.parse::<u32>().unwrap());
    assert!(validity.is_none_or(|seconds| (1..=36_000).contains(&seconds)), "{validity:?}");
    match code {
        Some(code) => error(400, code),
        None => {
            let body = serde_json::json!({
                "account_sid": ACCOUNT, "api_version": "2010-04-01", "body": field("Body"),
                "direction": "outbound-api", "error_code": null, "error_message": null,
                "from": field("From"), "messaging_service_sid": field("MessagingServiceSid"),
                "num_segments": "1", "sid": SID, "status": "queued", "to": field("To"),
            });
            Reply::Json(201, body.to_string())
        }
    }
}

fn sender(url: &str, key: Option<&str>, from: From) -> Twilio {
    let options = Options {
        endpoint: Some(url.into()),
        account: ACCOUNT.into(),
        key: key.map(str::to_owned),
        secret: Credential::new(SECRET).unwrap(),
        from,
        callback: Some("https://auth.example.com/countersign/callbacks/tw".into()),
    };
    Twilio::new(options, Duration::from_secs(20), None).unwrap()
}

fn number() -> From {
    From::Sender("+15005550006".into())
}

#[tokio::test]
async fn twilio_takes_a_text_by_auth_token_or_api_key_from_a_number_or_a_service() {
    let double = Double::new(answer).await;
    for (key, from) in [(None, number()), (Some(KEY), number()), (None, From::Service(SERVICE.into()))] {
        assert_eq!(send(&sender(&double.url, key, from), "+14155550101").await, accepted(SID));
    }
    let text = "Größe & \"код\" 042042\n#x +1";
    let twilio = sender(&double.url, None, number());
    twilio.send(&saying("+14155550101", text), Duration::from_millis(90_500)).await;
    let form = double.seen().pop().unwrap().form();
    assert_eq!((form["Body"].as_str(), form["ValidityPeriod"].as_str()), (text, "90"));
    twilio.send(&to("+14155550101"), Duration::from_millis(1)).await;
    assert_eq!(double.seen().pop().unwrap().form()["ValidityPeriod"], "1");
    assert!(twilio.check().await.is_ok());
}

#[tokio::test]
async fn w11_twilio_says_which_numbers_are_refused_for_good_and_what_another_provider_may_take() {
    let double = Double::new(answer).await;
    let twilio = sender(&double.url, None, number());
    for (number, outcome) in [
        ("+15005550001", "rejected_number"),
        ("+15005550002", "declined"),
        ("+15005550003", "declined"),
        ("+15005550004", "rejected_number"),
        ("+15005550009", "rejected_number"),
        ("+14155550101", "accepted"),
    ] {
        let sent = send(&twilio, number).await;
        assert_eq!(kind(&sent), outcome, "{number}");
        assert!(!sent.cause().contains("5005550"), "what a provider writes may hold a number: {sent:?}");
    }
    let strange = sender(&double.url, None, From::Sender("+15005550007".into()));
    assert_eq!(hindrance(send(&strange, "+14155550101").await), Hindrance::Unusable);
    let foreign = sender(&double.url, Some("SK0"), number());
    assert_eq!(hindrance(send(&foreign, "+14155550101").await), Hindrance::Unusable);
    assert!(foreign.check().await.unwrap_err().contains("refused"));
}

#[tokio::test]
async fn w11_an_answer_of_twilio_that_contradicts_itself_is_an_unknown_outcome() {
    for (status, body) in [
        (201, "not JSON"),
        (201, "{}"),
        (201, r#"{"sid":null,"status":"queued"}"#),
        (201, r#"{"sid":"SM1","status":"failed"}"#),
        (500, r#"{"code":20500,"message":"Internal Server Error","status":500}"#),
        (503, r#"{"code":21211,"status":400}"#),
    ] {
        let double = Double::new(move |_| Reply::Json(status, body.into())).await;
        let sent = send(&sender(&double.url, None, number()), "+14155550101").await;
        assert_eq!(kind(&sent), "unknown", "{status} {body}");
    }
    let double = Double::new(|_| error(429, 20429)).await;
    let sent = send(&sender(&double.url, None, number()), "+14155550101").await;
    assert_eq!(sent, Sent::Not(Hindrance::Busy, "HTTP 429, code 20429".into()));
}
