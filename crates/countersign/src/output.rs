//! What commands print. A reader that has gone away (`| head`) ends nothing badly.

use std::io::{self, IsTerminal as _, Write as _};

/// Prints text, and a line break if it has none at its end.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let line_break = if text.ends_with('\n') { "" } else { "\n" };
    drop(write!(out, "{text}{line_break}").and_then(|()| out.flush()));
}

/// Prints a question without a line break.
pub(crate) fn ask(text: &str) {
    let mut out = io::stdout().lock();
    drop(write!(out, "{text}").and_then(|()| out.flush()));
}

/// Prints what went wrong, to the error output.
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr().lock(), "countersign: {text}"));
}

/// Whether colours may be used (<https://no-color.org>).
pub(crate) fn in_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// The text in one of the terminal's styles, if it has any.
pub(crate) fn styled(style: &str, text: &str) -> String {
    if in_colour() { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Emphasized.
pub(crate) fn bold(text: &str) -> String {
    styled("1", text)
}

/// Beside the point.
pub(crate) fn dim(text: &str) -> String {
    styled("2", text)
}
