//! The QR code drawn with half blocks, for a terminal.
use crate::{TooLong, qr_modules};

/// How a terminal shows the two colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Black on white by ANSI colours, so that it scans on a dark and on a light terminal.
    Ansi,
    /// Characters only, for a terminal that shows light text on a dark ground: blocks are the light modules.
    Plain,
}

/// Light modules around the drawing. The standard asks for 4; 2 scan just as well off a screen and leave room.
const BORDER: usize = 2;

/// Entries 16 and 231 of the 256-colour palette are pure black and white; themes change only the first 16.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const RESET: &str = "\x1b[0m";

/// Draws the QR code of exactly `text`, one character for two modules, one above the other.
///
/// Every line ends in `\n` and, in colour, sets and resets its colours itself, so that it may be indented.
/// The border is two light modules, three at the bottom, where the last line would be left half filled.
///
/// # Errors
/// [`TooLong`] above 2,331 bytes.
pub fn qr_terminal(text: &str, style: Style) -> Result<String, TooLong> {
    let modules = qr_modules(text)?;
    let side = modules.size() + 2 * BORDER;
    // Coordinates before the code wrap round to beyond it, which is as light.
    let dark = |x: usize, y: usize| modules.is_dark(x.wrapping_sub(BORDER), y.wrapping_sub(BORDER));
    let line = side * '█'.len_utf8() + BLACK_ON_WHITE.len() + RESET.len() + 1;
    let mut drawing = String::with_capacity(line * side.div_ceil(2));
    for y in (0..side).step_by(2) {
        let ink = |x| match style {
            Style::Ansi => (dark(x, y), dark(x, y + 1)),
            Style::Plain => (!dark(x, y), !dark(x, y + 1)),
        };
        if style == Style::Ansi {
            drawing.push_str(BLACK_ON_WHITE);
        }
        drawing.extend((0..side).map(|x| match ink(x) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        }));
        if style == Style::Ansi {
            drawing.push_str(RESET);
        }
        drawing.push('\n');
    }
    Ok(drawing)
}
