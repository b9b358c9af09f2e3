//! What a caller sent, made fit to be shown again in an error (W5).

use std::borrow::Cow;

/// Most characters of an object's id that an error repeats (W5).
pub const ECHOED_ID_CHARS: usize = 128;
/// Most characters of a submitted value, such as a phone number, that an error repeats (W5).
pub const ECHOED_VALUE_CHARS: usize = 32;
/// Most characters of a request path that an error repeats (W5).
pub const ECHOED_PATH_CHARS: usize = 200;

/// An id as an error may repeat it: without control characters, at most [`ECHOED_ID_CHARS`] long.
pub fn echo_id(id: &str) -> Cow<'_, str> {
    echo(id, ECHOED_ID_CHARS)
}

/// A value as an error may repeat it: without control characters, at most [`ECHOED_VALUE_CHARS`] long.
pub fn echo_value(value: &str) -> Cow<'_, str> {
    echo(value, ECHOED_VALUE_CHARS)
}

/// A path as an error may repeat it: without its query and control characters, at most
/// [`ECHOED_PATH_CHARS`] long.
pub fn echo_path(path: &str) -> Cow<'_, str> {
    let path = path.split_once('?').map_or(path, |(path, _query)| path);
    echo(path, ECHOED_PATH_CHARS)
}

/// `text` without control characters (Unicode Cc), cut after `most` of the characters that remain.
///
/// Borrows where nothing has to be taken out of the middle, which is nearly always.
pub fn echo(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    match text.split_at_checked(end) {
        Some((head, _rest)) if !has_control(head) => Cow::Borrowed(head),
        _ => Cow::Owned(text.chars().filter(|c| !c.is_control()).take(most).collect()),
    }
}

/// Whether `text` holds a control character (Unicode Cc: U+0000–U+001F, U+007F–U+009F).
pub fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Whether `text` has more than `most` characters; reads no further than it must.
pub fn longer_than(text: &str, most: usize) -> bool {
    text.chars().nth(most).is_some()
}
