//! Settings as text: reading and printing each kind of value.
//!
//! Every reader returns what is wrong in words that stand after the setting's name, without the value.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use crate::label::{check_label, without_colons};
use crate::phone::Prefix;

/// Most prefixes in one list.
const MAX_PREFIXES: usize = 256;

/// A whole number within `range`, in plain decimal digits.
pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Result<u32, &'static str> {
    if text.is_empty() {
        return Err("has an empty value");
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("is not a whole number");
    }
    text.parse().ok().filter(|value| range.contains(value)).ok_or("is out of range")
}

/// A number from 0 to `most`, where 0 stands for absent.
pub(super) fn optional_number(text: &str, most: u32) -> Result<Option<NonZeroU32>, &'static str> {
    number(text, 0..=most).map(NonZeroU32::new)
}

pub(super) fn print_optional(value: Option<NonZeroU32>) -> String {
    value.map_or(0, NonZeroU32::get).to_string()
}

/// A switch. `true` and `false` are understood too.
pub(super) fn on_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err("is neither on nor off"),
    }
}

pub(super) fn print_on_off(value: bool) -> String {
    if value { "on" } else { "off" }.to_owned()
}

/// A list of prefixes, sorted and without repetition; `none` or nothing is the empty list.
pub(super) fn prefixes(text: &str) -> Result<Vec<Prefix>, &'static str> {
    if matches!(text.trim(), "" | "none") {
        return Ok(Vec::new());
    }
    let mut list = text
        .split(',')
        .take(MAX_PREFIXES + 1)
        .map(|item| Prefix::parse(item.trim()))
        .collect::<Result<Vec<_>, _>>()?;
    if list.len() > MAX_PREFIXES {
        return Err("has too many prefixes");
    }
    list.sort();
    list.dedup();
    Ok(list)
}

pub(super) fn print_prefixes(list: &[Prefix]) -> String {
    if list.is_empty() {
        return "none".to_owned();
    }
    list.iter().map(Prefix::to_string).collect::<Vec<_>>().join(",")
}

/// An issuer, trimmed; empty is absent. One that is only colons would leave nothing for the key URI (W12).
pub(super) fn issuer(text: &str) -> Result<Option<String>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    check_label(text)?;
    if without_colons(text).trim().is_empty() {
        return Err("must not be only colons");
    }
    Ok(Some(text.to_owned()))
}
