//! Reading a body as JSON, more strictly than readers of JSON do (W4).
//!
//! Two readers of one body must never see different codes, so whatever readers are known to disagree about is refused
//! wherever it stands: keys given twice, lone surrogates, text behind the end. The values themselves are serde_json's.

use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::HashMap, fmt};

/// Most containers inside one another, the outermost included (W4).
const MAX_DEPTH: usize = 32;

/// Why a body cannot be read (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    NotJson,
    DuplicateKey,
}

/// A body that every reader reads alike.
#[derive(Debug)]
pub(crate) enum Json<'a> {
    /// Nothing, or `null`: as good as an object without members.
    Nothing,
    /// An object's members.
    Object(HashMap<Cow<'a, str>, &'a RawValue>),
    /// `[]`
    EmptyArray,
    /// Neither.
    Other,
}

/// What a body gives for a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Given<'a> {
    /// Absent, `null` or `""`, which are one (W4).
    Nothing,
    /// A string that is not empty.
    Text(Cow<'a, str>),
    /// Of another JSON type.
    NotText,
}

impl<'a> Json<'a> {
    /// Reads a body.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Unreadable> {
        if body.is_empty() {
            return Ok(Self::Nothing);
        }
        let text = str::from_utf8(body).map_err(|_| Unreadable::NotJson)?;
        let whole: &RawValue = parse(text)?;
        match whole.get().as_bytes() {
            [b'{', ..] => {
                let members: Members<'a> = parse(whole.get())?;
                check_members(&members, 1)?;
                Ok(Self::Object(members.values))
            }
            [b'n', ..] => Ok(Self::Nothing),
            [b'[', ..] => {
                check(whole, 0)?;
                let empty = parse::<Vec<&RawValue>>(whole.get())?.is_empty();
                Ok(if empty { Self::EmptyArray } else { Self::Other })
            }
            _ => check(whole, 0).map(|()| Self::Other),
        }
    }

    /// What is given for a field. Only an object gives anything.
    pub(crate) fn given(&self, field: &str) -> Given<'a> {
        let Self::Object(values) = self else { return Given::Nothing };
        let Some(raw) = values.get(field).map(|raw| raw.get()) else { return Given::Nothing };
        match raw {
            "null" | "\"\"" => Given::Nothing,
            _ => match serde_json::from_str::<Text<'a>>(raw) {
                Ok(text) => Given::Text(text.0),
                Err(_) => Given::NotText,
            },
        }
    }

    /// Whether there are members of other names than these.
    pub(crate) fn has_other_than(&self, known: &[&str]) -> bool {
        let Self::Object(values) = self else { return false };
        values.keys().any(|name| !known.contains(&name.as_ref()))
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|_| Unreadable::NotJson)
}

/// Checks a value that stands inside `depth` containers. serde_json has passed it as JSON without looking into it.
fn check(value: &RawValue, depth: usize) -> Result<(), Unreadable> {
    match value.get().as_bytes() {
        [b'{' | b'[', ..] if depth >= MAX_DEPTH => Err(Unreadable::NotJson),
        [b'{', ..] => check_members(&parse(value.get())?, depth + 1),
        [b'[', ..] => {
            let items: Vec<&RawValue> = parse(value.get())?;
            items.into_iter().try_for_each(|item| check(item, depth + 1))
        }
        // Decoding it is what finds lone surrogates.
        [b'"', ..] => parse::<Text<'_>>(value.get()).map(drop),
        // Numbers of any size are JSON, and no field takes one.
        _ => Ok(()),
    }
}

fn check_members(members: &Members<'_>, depth: usize) -> Result<(), Unreadable> {
    members.values.values().try_for_each(|value| check(value, depth))?;
    if members.repeated { Err(Unreadable::DuplicateKey) } else { Ok(()) }
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object's members by their names as decoded, and whether one of them was there twice.
struct Members<'a> {
    values: HashMap<Cow<'a, str>, &'a RawValue>,
    repeated: bool,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members { values: HashMap::new(), repeated: false };
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &RawValue>()? {
                    members.repeated |= members.values.insert(name, value).is_some();
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: impl AsRef<[u8]>) -> Option<Unreadable> {
        Json::read(body.as_ref()).err()
    }

    #[test]
    fn w4_nothing_null_objects_arrays_and_the_rest() {
        for (body, kind) in [
            ("", 0),
            ("null", 0),
            (" null\n", 0),
            ("{}", 1),
            (" { \"a\" : 1 } ", 1),
            ("[]", 2),
            ("[ ]", 2),
            ("[1]", 3),
            ("1", 3),
            ("1e400", 3),
            ("\"x\"", 3),
            ("true", 3),
        ] {
            let found = match Json::read(body.as_bytes()).unwrap() {
                Json::Nothing => 0,
                Json::Object(_) => 1,
                Json::EmptyArray => 2,
                Json::Other => 3,
            };
            assert_eq!(found, kind, "{body}");
        }
    }

    #[test]
    fn f62_what_is_not_json_in_utf8_is_refused() {
        for body in [
            &b" "[..],
            b"{",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"{\"a\":1} x",
            b"{}{}",
            b"{\"a\":NaN}",
            b"{\"a\":Infinity}",
            b"{\"a\":01}",
            b"{\"a\":.5}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\xed\xa0\x80\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\udc00\\ud800\"}",
            b"{\"x\":[{\"y\":\"\\ud800x\"}]}",
            b"{\"\\ud800\":1}",
            b"[\"\\ud800\"]",
            b"\"\\ud800\"",
            b"{\"a\":\"\n\"}",
            b"{\"a\":\"\\x41\"}",
            b"{\"a\":1/**/}",
            b"\xef\xbb\xbf{}",
            b"\x00",
            b"nul",
        ] {
            assert_eq!(refusal(body), Some(Unreadable::NotJson), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn f62_the_same_key_twice_is_refused_wherever_it_stands() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"b":1,"b":2}}"#,
            r#"{"x":[[{"b":1,"c":1,"b":2}]]}"#,
            r#"[{"b":1,"b":2}]"#,
            r#"{"":1,"":2}"#,
            r#"{"\ud83d\ude00":1,"😀":2}"#,
        ] {
            assert_eq!(refusal(body), Some(Unreadable::DuplicateKey), "{body}");
        }
        assert_eq!(refusal(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}],"A":1}"#), None);
    }

    #[test]
    fn w4_32_containers_and_one_more() {
        for (open, close) in [("[", "]"), ("{\"y\":", "}")] {
            let nested =
                |depth: usize| format!("{{\"x\":{}1{}}}", open.repeat(depth - 1), close.repeat(depth - 1));
            assert_eq!(refusal(nested(32)), None);
            assert_eq!(refusal(nested(33)), Some(Unreadable::NotJson));
            assert_eq!(refusal(nested(9_000)), Some(Unreadable::NotJson));
        }
        assert_eq!(refusal("[".repeat(32) + &"]".repeat(32)), None);
        assert_eq!(refusal("[".repeat(33) + &"]".repeat(33)), Some(Unreadable::NotJson));
    }

    #[test]
    fn w4_null_and_empty_are_absent_and_only_strings_are_text() {
        let json =
            Json::read(br#"{"a":null,"b":"","c":1e400,"d":{},"e":"x\u0079","f":" ","g":true}"#).unwrap();
        for (field, given) in [
            ("a", Given::Nothing),
            ("b", Given::Nothing),
            ("z", Given::Nothing),
            ("c", Given::NotText),
            ("d", Given::NotText),
            ("g", Given::NotText),
            ("e", Given::Text("xy".into())),
            ("f", Given::Text(" ".into())),
        ] {
            assert_eq!(json.given(field), given, "{field}");
        }
        assert!(json.has_other_than(&["a", "b"]));
        assert!(!json.has_other_than(&["a", "b", "c", "d", "e", "f", "g"]));
    }

    #[test]
    fn many_keys_and_many_values_take_no_long_time() {
        let keys: Vec<String> = (0..6_000).map(|n| format!("\"{n}\":1")).collect();
        assert_eq!(refusal(format!("{{{}}}", keys.join(","))), None);
        let deep = format!("{{\"x\":{}\"{}\"{}}}", "[".repeat(31), "y".repeat(65_000), "]".repeat(31));
        let start = std::time::Instant::now();
        assert_eq!(refusal(deep), None);
        assert!(start.elapsed().as_secs() < 2);
    }
}
