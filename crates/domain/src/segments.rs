//! How many segments a text takes, which is what providers are paid for (3GPP TS 23.038 and 23.040).

/// One septet each in the GSM 7-bit alphabet, beside the letters and digits of ASCII.
const ONE: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// Two septets each: an escape and a character of the extension table.
const TWO: &str = "\u{c}^{}\\[~]|€";

/// Septets of a text that stands alone, and of a segment of a longer one.
const SEPTETS: (usize, usize) = (160, 153);
/// The same in UTF-16 units, for a text that has any other character.
const UNITS: (usize, usize) = (70, 67);

fn septets(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || ONE.contains(c) {
        return Some(1);
    }
    TWO.contains(c).then_some(2)
}

/// The segments of a text: 1 for one that is empty, at most one for each of its characters.
///
/// A character is never cut in two, so an escape or a surrogate pair that does not fit begins the next segment.
#[must_use]
pub fn segments(text: &str) -> u32 {
    let gsm: Option<Vec<usize>> = text.chars().map(septets).collect();
    match gsm {
        Some(sizes) => count(&sizes, SEPTETS),
        None => count(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), UNITS),
    }
}

fn count(sizes: &[usize], (alone, each): (usize, usize)) -> u32 {
    if sizes.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (mut segments, mut filled) = (1, 0);
    for size in sizes {
        if filled + size > each {
            segments += 1;
            filled = 0;
        }
        filled += size;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn segments_are_counted_as_networks_do() {
        for (text, expected) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 153 septets hold 76 escapes and leave one septet empty.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("é".repeat(160), 1),
            ("ê".repeat(70), 1),
            ("ê".repeat(71), 2),
            ("ê".repeat(134), 2),
            ("ê".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            // 67 units hold 33 pairs.
            ("😀".repeat(67), 3),
            (format!("{}ê", "a".repeat(70)), 2),
            ("Ваш код 123456".into(), 1),
        ] {
            assert_eq!(segments(&text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_longer_text_never_takes_fewer(text in any::<String>(), more in any::<char>()) {
            let longer = format!("{text}{more}");
            prop_assert!(segments(&longer) >= segments(&text));
            prop_assert!((1..=longer.chars().count().max(1)).contains(&(segments(&longer) as usize)));
        }
    }
}
