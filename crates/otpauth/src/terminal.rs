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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads the blocks back: whether each half of each character is inked, row by row of modules.
    fn ink(drawing: &str) -> Vec<Vec<bool>> {
        let halves = |line: &str, upper| {
            line.chars()
                .map(|c| match c {
                    ' ' => false,
                    '▀' => upper,
                    '▄' => !upper,
                    '█' => true,
                    other => panic!("{other:?} is no block"),
                })
                .collect()
        };
        drawing.lines().flat_map(|line| [halves(line, true), halves(line, false)]).collect()
    }

    /// Checks the dark modules read back from a drawing against the code's own, border included.
    fn check(text: &str, dark: &[Vec<bool>]) {
        let modules = qr_modules(text).unwrap();
        assert_eq!(dark.len(), modules.size() + 2 * BORDER + 1);
        for (y, row) in dark.iter().enumerate() {
            assert_eq!(row.len(), modules.size() + 2 * BORDER);
            for (x, dark) in row.iter().enumerate() {
                let inside = x.checked_sub(BORDER).zip(y.checked_sub(BORDER));
                assert_eq!(*dark, inside.is_some_and(|(x, y)| modules.is_dark(x, y)), "{x}, {y}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn the_drawing_read_back_is_the_code_in_either_style(text in "[ -~]{0,400}") {
            let drawing = qr_terminal(&text, Style::Ansi).unwrap();
            let bare = |line| -> &str {
                let line: &str = line;
                line.strip_prefix(BLACK_ON_WHITE).and_then(|l| l.strip_suffix(RESET)).unwrap()
            };
            check(&text, &ink(&drawing.lines().map(bare).collect::<Vec<_>>().join("\n")));

            let mut light = ink(&qr_terminal(&text, Style::Plain).unwrap());
            light.iter_mut().flatten().for_each(|module| *module = !*module);
            check(&text, &light);
        }
    }

    #[test]
    fn the_plain_style_has_no_escape_sequence() {
        assert!(!qr_terminal("hello", Style::Plain).unwrap().contains('\x1b'));
    }

    #[test]
    fn a_text_too_long_is_refused() {
        assert_eq!(qr_terminal(&"x".repeat(2_332), Style::Ansi), Err(TooLong));
    }
}
