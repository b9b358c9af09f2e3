//! Moving dev mode's clock (W15).

use app::DevClock;
use domain::{
    refusal::FieldError,
    time::{Clock as _, Timestamp},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// The latest time the clock may be moved to: the end of the year 9999 cannot be written any more.
const LATEST_MILLIS: i64 = 253_370_764_800_000;

/// Where the clock stands.
#[derive(Serialize)]
pub(super) struct Standing {
    now: String,
    frozen: bool,
}

/// Where it stands.
pub(super) fn standing(clock: &DevClock) -> Standing {
    Standing { now: clock.now().to_string(), frozen: clock.is_frozen() }
}

/// What a request asks of the clock. Done in this order: set, advance, freeze.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    set: Option<Timestamp>,
    advance_millis: Option<i64>,
    frozen: Option<bool>,
}

fn read(body: &Map<String, Value>) -> Result<Wanted, FieldError> {
    let mut wanted = Wanted::default();
    match body.get("set") {
        None | Some(Value::Null) => {}
        Some(value) => {
            let at = value.as_str().and_then(Timestamp::parse).filter(|at| at.millis() < LATEST_MILLIS);
            let at =
                at.ok_or_else(|| FieldError::new("set", "must be a time such as 2026-11-27T10:15:30.250Z"))?;
            wanted.set = Some(at);
        }
    }
    match body.get("advance_seconds") {
        None | Some(Value::Null) => {}
        Some(value) => {
            let seconds = value.as_f64().filter(|s| s.abs() <= 3.2e9);
            let problem =
                || FieldError::new("advance_seconds", "must be a number of at most a hundred years");
            #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
            let millis = (seconds.ok_or_else(problem)? * 1000.0).round() as i64;
            wanted.advance_millis = Some(millis);
        }
    }
    match body.get("frozen") {
        None | Some(Value::Null) => {}
        Some(value) => {
            let frozen = value.as_bool().ok_or_else(|| FieldError::new("frozen", "must be a boolean"))?;
            wanted.frozen = Some(frozen);
        }
    }
    if wanted == Wanted::default() {
        return Err(FieldError::new("body", "must have one of advance_seconds, set and frozen"));
    }
    Ok(wanted)
}

/// Does what the body asks.
///
/// # Errors
/// What is wrong with it; then nothing was done.
pub(super) fn change(clock: &DevClock, body: &Map<String, Value>) -> Result<Standing, FieldError> {
    let wanted = read(body)?;
    let moved = wanted.set.unwrap_or_else(|| clock.now()).millis();
    let moved = moved.saturating_add(wanted.advance_millis.unwrap_or(0));
    if !(0..LATEST_MILLIS).contains(&moved) {
        return Err(FieldError::new("advance_seconds", "would leave the years 1970 to 9998"));
    }
    if let Some(at) = wanted.set {
        clock.set(at);
    }
    if let Some(millis) = wanted.advance_millis {
        clock.advance(millis);
    }
    if let Some(frozen) = wanted.frozen {
        clock.freeze(frozen);
    }
    Ok(standing(clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(clock: &DevClock, body: Value) -> Result<Standing, &'static str> {
        let Value::Object(body) = body else { panic!() };
        change(clock, &body).map_err(|e| e.field)
    }

    #[test]
    fn w15_the_clock_is_set_moved_and_frozen() {
        let clock = DevClock::default();
        let standing =
            ask(&clock, json!({ "set": "2026-11-27T10:15:30.250Z", "frozen": true })).ok().unwrap();
        assert!(standing.frozen && standing.now.starts_with("2026-11-27T10:15:3"));
        ask(&clock, json!({ "set": "2030-01-01T00:00:00Z" })).ok().unwrap();
        let standing = ask(&clock, json!({ "advance_seconds": 29.999 })).ok().unwrap();
        assert_eq!(standing.now, "2030-01-01T00:00:29.999Z");
        let standing = ask(&clock, json!({ "advance_seconds": -9.999 })).ok().unwrap();
        assert_eq!(standing.now, "2030-01-01T00:00:20.000Z");
        assert!(!ask(&clock, json!({ "frozen": false })).ok().unwrap().frozen);
    }

    #[test]
    fn w15_what_the_clock_cannot_do_is_named() {
        let clock = DevClock::default();
        clock.freeze(true);
        let before = clock.now();
        for (body, field) in [
            (json!({}), "body"),
            (json!({ "set": "soon" }), "set"),
            (json!({ "set": 5 }), "set"),
            (json!({ "set": "9999-12-31T00:00:00Z" }), "set"),
            (json!({ "advance_seconds": "5" }), "advance_seconds"),
            (json!({ "advance_seconds": 1e300 }), "advance_seconds"),
            (json!({ "advance_seconds": -3e9 }), "advance_seconds"),
            (json!({ "advance_seconds": 5, "frozen": "no" }), "frozen"),
        ] {
            assert_eq!(ask(&clock, body.clone()).err(), Some(field), "{body}");
        }
        assert_eq!(clock.now(), before);
    }
}
