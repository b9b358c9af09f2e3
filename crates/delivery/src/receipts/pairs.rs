//! Pairs of names and values: a form, a query, or a flat JSON object.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// More than any provider sends.
const PAIRS_MAX: usize = 100;

/// The pairs, in the order in which they came.
pub(super) struct Pairs(pub(super) Vec<(String, String)>);

impl Pairs {
    /// Reads a form or a query; `None` if it is not one.
    pub(super) fn form(text: &str) -> Option<Self> {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
        };
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
            if pairs.len() > PAIRS_MAX {
                return None;
            }
        }
        Some(Self(pairs))
    }

    /// Reads a flat JSON object; `None` if it is not one.
    pub(super) fn json(body: &[u8]) -> Option<Self> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return None };
        let value = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null => Some(String::new()),
            Value::Array(_) | Value::Object(_) => None,
        };
        let pairs =
            fields.into_iter().map(|(name, v)| Some((name, value(v)?))).collect::<Option<Vec<_>>>()?;
        (pairs.len() <= PAIRS_MAX).then_some(Self(pairs))
    }

    /// The one value of a name; `None` if it is there twice.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }
}
