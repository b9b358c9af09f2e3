//! Requests: heads, paths, queries, bodies.

use crate::utf8;
use api::fuzzing::{Body, is_unknown, page, segment};
use domain::page::{Cursor, LIMITS, Order};
use serde_json::Value;

pub(crate) const BODY_WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\u0061",
    b"\\ud83d\\ude00",
    b"\\ud800",
    b"null",
    b"\"code\"",
    b"\"type\"",
    b"\"user_id\"",
    b"1e400",
    b"-0",
    b"{\"code\":",
    b"\xef\xbb\xbf",
    b"[[[[[[[[",
    b"]]]]]]]]",
    b"\"\"",
    b" ",
    b"\n",
];
pub(crate) const QUERY_WORDS: &[&[u8]] = &[
    b"limit=",
    b"order=",
    b"after=",
    b"before=",
    b"&",
    b"=",
    b"+",
    b"%",
    b"%00",
    b"%ff",
    b"asc",
    b"desc",
    b"normal",
    b"100",
    b"auth_factor_01M865GZVFACB5VZQPPCYD40W3",
    b"%6cimit=7",
];
pub(crate) const PATH_WORDS: &[&[u8]] =
    &[b"%", b"%2F", b"%2f", b"%25", b"%00", b"%ff", b"%C3%A9", b"%zz", b"..", b"+"];
pub(crate) const HEAD_WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"content-length:",
    b"Content-Length: 3\r\n",
    b"transfer-encoding: chunked\r\n",
    b"Transfer-Encoding:",
    b"host: x\r\n",
    b"GET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b" ",
    b"\t",
    b"0",
    b"18446744073709551615",
    b"+1",
    b"\0",
    b":",
];

/// The fields that are read out of bodies here.
const FIELDS: [&str; 4] = ["code", "type", "user_id", ""];

/// W4: a body is what an independent reader says it is; depth and repeated keys are ours.
pub fn body(data: &[u8]) {
    let (kind, fields) = api::fuzzing::body(data, &FIELDS);
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        // The other reader also refuses numbers that fit no machine type; nothing else may be read by us alone.
        let number_too_large = serde_json::from_slice::<&serde_json::value::RawValue>(data).is_ok();
        assert!(data.is_empty() || kind != Body::Json || number_too_large, "read, and not JSON");
        return;
    };
    match kind {
        Body::Json => {
            assert!(depth(&value) <= 32, "nested too deep");
            for (name, field) in FIELDS.iter().zip(&fields) {
                let expected = value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
                assert_eq!(field.as_deref(), expected, "{name}");
            }
        }
        Body::NotJson => assert!(depth(&value) > 32, "JSON, and not read"),
        Body::DuplicateKey => {
            let once = value.to_string();
            assert!(once.len() < data.len(), "no key is there twice");
            assert_eq!(api::fuzzing::body(once.as_bytes(), &[]).0, Body::Json);
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// W14: a query that holds says the same when it is written anew.
pub fn query(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    assert!(!is_unknown(text, false) || !text.is_empty());
    match page(text) {
        // One for each parameter, and one for the two cursors together, however long the query is.
        Err(complaints) => assert!((1..=5).contains(&complaints), "{complaints} complaints"),
        Ok(request) => {
            assert!(LIMITS.contains(&request.limit));
            let order = match request.order {
                Order::Ascending => "asc",
                Order::Descending => "normal",
            };
            let cursor = match &request.cursor {
                None => String::new(),
                Some(Cursor::After(id)) => format!("&after={id}"),
                Some(Cursor::Before(id)) => format!("&before={id}"),
            };
            let anew = format!("limit={}&order={order}{cursor}", request.limit);
            assert_eq!(page(&anew), Ok(request), "{anew}");
            assert!(!is_unknown(&anew, true) && is_unknown(&anew, false));
            assert!(page(&format!("{anew}&limit=1")).is_err(), "a parameter twice is refused");
        }
    }
}

/// A segment is decoded once, never grows beyond what is put for broken UTF-8, and what is encoded comes back.
pub fn path(data: &[u8]) {
    let encoded: String = data.iter().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(segment(&encoded).0.as_deref(), utf8(data));
    let Some(text) = utf8(data) else { return };
    let (exact, lossy) = segment(text);
    assert!(lossy.len() <= text.len(), "a decoded segment is no longer than it was");
    if let Some(exact) = exact {
        assert_eq!(exact, lossy);
    }
    if !text.contains('%') {
        assert_eq!(lossy, text);
    }
}

/// F63: a head is read as an independent reader reads it, or not at all, wherever the reads fall.
pub fn head(data: &[u8]) {
    const HEAD_BYTES: usize = 16 * 1024;
    let data = data.get(..HEAD_BYTES).unwrap_or(data);
    agrees(data);
    let whole = edge::fuzzing::connection(std::iter::once(data), HEAD_BYTES);
    for size in [1, 2, 7, 64] {
        assert_eq!(edge::fuzzing::connection(data.chunks(size), HEAD_BYTES), whole, "in reads of {size}");
    }
    // With little room: what is kept is bounded, which is asserted there.
    drop(edge::fuzzing::connection(data.chunks(64), 64));
}

fn agrees(data: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    let (Ok(httparse::Status::Complete(end)), Ok((ours, length, chunked))) =
        (request.parse(data), edge::fuzzing::head(data))
    else {
        return;
    };
    assert_eq!(ours, end, "the head ends elsewhere");
    let values = |name: &str| {
        let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value.trim_ascii()).collect::<Vec<_>>()
    };
    match values("content-length").as_slice() {
        [] => assert_eq!(length, 0),
        [one] => {
            let read = utf8(one).and_then(|digits| digits.parse::<u64>().ok());
            assert!(read == Some(length) && one.iter().all(u8::is_ascii_digit));
        }
        _ => panic!("two lengths, and taken"),
    }
    match values("transfer-encoding").as_slice() {
        [] => assert!(!chunked),
        [one] => {
            assert!(chunked && one.eq_ignore_ascii_case(b"chunked") && values("content-length").is_empty())
        }
        _ => panic!("two codings, and taken"),
    }
}
