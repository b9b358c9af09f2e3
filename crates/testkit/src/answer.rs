//! An answer as a caller sees it.

use axum::http::HeaderMap;
use serde_json::Value;

/// Status, headers and body.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as sent.
    pub text: String,
    /// The body as JSON; `null` if it is none.
    pub json: Value,
}

impl Answered {
    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().expect("a header is text")).unwrap_or_default()
    }

    /// A member of the body that is a string; empty if there is none.
    pub fn text_of(&self, member: &str) -> &str {
        self.json[member].as_str().unwrap_or_default()
    }

    /// The `code` of an error.
    pub fn code(&self) -> &str {
        self.text_of("code")
    }

    /// The names of the top-level members in the order they were written.
    pub fn keys(&self) -> Vec<String> {
        keys_of(&self.text)
    }

    /// The sentences of a 422.
    pub fn sentences(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|e| e["code"].as_str()).collect()
    }
}

/// The names of an object's members in the order they are written: `serde_json::Value` does not keep it.
pub(crate) fn keys_of(text: &str) -> Vec<String> {
    let (mut keys, mut depth, mut chars) = (Vec::new(), 0, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '"' => {
                let mut word = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => drop(chars.next()),
                        c => word.push(c),
                    }
                }
                if depth == 1 && chars.peek() == Some(&':') {
                    keys.push(word);
                }
            }
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_those_of_the_outermost_object() {
        assert_eq!(super::keys_of(r#"{"b":{"x":1},"a":["k"],"c\"d":":"}"#), ["b", "a", "cd"]);
    }
}
