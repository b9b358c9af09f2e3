//! How things are shown to operators.

use domain::{
    budget::Standing,
    environment::{ApiKey, Environment},
    factor::{Details, Factor},
    time::Timestamp,
};
use serde_json::{Value, json};

pub(super) fn environment(e: &Environment) -> Value {
    json!({
        "name": e.name,
        "id": e.id.to_string(),
        "mode": e.mode.word(),
        "client_id": e.client_id,
        "created_at": e.id.created_at().to_string(),
    })
}

fn maybe(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::String(at.to_string()))
}

pub(super) fn api_key(key: &ApiKey, environment: &str, now: Timestamp) -> Value {
    let state = match key {
        k if k.revoked_at.is_some() => "revoked",
        k if !k.is_accepted(now) => "expired",
        _ => "active",
    };
    json!({
        "id": key.id.to_string(),
        "environment": environment,
        "name": key.name,
        "key": key.hint,
        "state": state,
        "allow": key.permissions.words(),
        "created_at": key.id.created_at().to_string(),
        "expires_at": maybe(key.expires_at),
        "revoked_at": maybe(key.revoked_at),
        "last_used_at": maybe(key.last_used_at),
    })
}

/// The country and the last two digits: enough to recognize a number, too little to call it.
fn masked(number: &str) -> String {
    let digits = number.chars().count();
    let shown = |(at, c): (usize, char)| if at < 3 || at + 2 >= digits { c } else { '•' };
    number.chars().enumerate().map(shown).collect()
}

pub(super) fn factor(factor: &Factor, now: Timestamp) -> Value {
    let (state, locked_until) = match factor.budget.standing(now) {
        Standing::Free => ("usable", None),
        Standing::LockedUntil(until) => ("locked", Some(until)),
        Standing::Stopped => ("stopped", None),
    };
    let mut shown = json!({
        "id": factor.id.to_string(),
        "type": factor.details.kind().word(),
        "user_id": factor.user.as_ref().map(|u| u.as_str()),
        "created_at": factor.id.created_at().to_string(),
        "verified_at": maybe(factor.verified_at),
        "state": state,
        "wrong_in_a_row": factor.budget.wrong_in_a_row,
        "locked_until": maybe(locked_until),
    });
    match &factor.details {
        Details::GenericOtp => {}
        Details::Sms(number) => shown["phone_number"] = masked(number.reveal()).into(),
        Details::Totp(label) => {
            shown["issuer"] = label.issuer.clone().into();
            shown["label"] = label.user.clone().into();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    #[test]
    fn f45_a_number_is_recognized_but_not_readable() {
        assert_eq!(super::masked("+14155550123"), "+14•••••••23");
        assert_eq!(super::masked("+4930"), "+4930");
    }
}
