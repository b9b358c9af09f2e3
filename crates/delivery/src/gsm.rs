//! Whether a text fits the alphabet that phones have in common (GSM 03.38); any other costs more per character.

/// The basic table without escape, and the extension table.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà\u{c}^{}\\[~]|€";

/// Whether every character is in it.
pub(crate) fn is_gsm(text: &str) -> bool {
    text.chars().all(|c| ALPHABET.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_another_script_is_no_gsm_text() {
        assert_eq!(ALPHABET.chars().count(), 127 + 10);
        for text in ["Your code is 042042.", "Größe: 1 €\n[~]"] {
            assert!(is_gsm(text), "{text}");
        }
        for text in ["Ваш код 042042", "Your code is 042042 ✓", "“quoted”", "`"] {
            assert!(!is_gsm(text), "{text}");
        }
    }
}
