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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn w5_an_echo_loses_control_characters_and_is_cut_by_characters() {
        for (text, most, shown) in [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "abc"),
            ("a\r\nb\u{1b}[31m", 32, "ab[31m"),
            ("\u{0}\u{7f}\u{85}x", 32, "x"),
            ("\u{1}\u{1}abcd", 3, "abc"),
            ("éèêë", 3, "éèê"),
            ("🔑🔑", 1, "🔑"),
            ("abc", 0, ""),
        ] {
            assert_eq!(echo(text, most), shown, "{text:?}");
        }
    }

    #[test]
    fn w5_ids_values_and_paths_have_their_own_lengths() {
        for (echo, most) in [(echo_id as fn(&str) -> Cow<'_, str>, 128), (echo_value, 32), (echo_path, 200)] {
            assert_eq!(echo(&"é".repeat(most)).chars().count(), most);
            assert_eq!(echo(&"é".repeat(most + 1)).chars().count(), most);
        }
    }

    #[test]
    fn w5_a_path_is_shown_without_its_query() {
        for (path, shown) in [("/a/b?secret=1", "/a/b"), ("/a?b?c", "/a"), ("?x", ""), ("/a\n/b", "/a/b")] {
            assert_eq!(echo_path(path), shown);
        }
    }

    #[test]
    fn what_needs_no_change_is_borrowed() {
        assert!(matches!(echo("plain", 32), Cow::Borrowed("plain")));
        assert!(matches!(echo("plain\n", 5), Cow::Borrowed("plain")));
        assert!(matches!(echo("pl\nain", 32), Cow::Owned(_)));
    }

    proptest! {
        #[test]
        fn an_echo_is_the_first_visible_characters(text in any::<String>(), most in 0_usize..40) {
            let expected: String = text.chars().filter(|c| !c.is_control()).take(most).collect();
            prop_assert_eq!(echo(&text, most), expected);
        }
    }
}
