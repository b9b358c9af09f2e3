//! The text of a message, with a place for the code (W11).

/// Most characters of a template (W11).
pub const MAX_TEMPLATE_CHARS: usize = 320;
/// The text used where neither the caller nor the environment gives one (W11).
const DEFAULT_TEMPLATE: &str = "Your verification code is {{code}}.";
/// The two spellings of the place for the code.
const PLACEHOLDERS: [&str; 2] = ["{{code}}", "{{ code }}"];
/// Stands in for a code when the finished text is checked.
const SAMPLE_CODE: &str = "123456";

/// A message template that passed every rule of W11. Nothing in it is ever evaluated: it is plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsTemplate(String);

impl Default for SmsTemplate {
    fn default() -> Self {
        Self(DEFAULT_TEMPLATE.to_owned())
    }
}

impl SmsTemplate {
    /// Checks a template, as given and again with a sample code filled in.
    ///
    /// # Errors
    /// Says what is wrong, to be put after the name of the field; never repeats the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || crate::text::longer_than(text, MAX_TEMPLATE_CHARS) {
            return Err("must be 1 to 320 characters");
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("must not contain control characters other than line feeds");
        }
        let filled = fill(text, SAMPLE_CODE)?;
        if has_address(text) || has_address(&filled) {
            return Err("must not contain URLs, domain names or IP addresses");
        }
        Ok(Self(text.to_owned()))
    }

    /// The message for `code`.
    pub fn render(&self, code: &str) -> String {
        PLACEHOLDERS.iter().fold(self.0.clone(), |text, placeholder| text.replace(placeholder, code))
    }

    /// The template as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Fills in a code, refusing every double brace that does not belong to a place for the code.
fn fill(text: &str, code: &str) -> Result<String, &'static str> {
    const FOREIGN: &str = "must not contain double braces other than {{code}}";
    let mut pieces = text.split("{{");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    if filled.contains("}}") {
        return Err(FOREIGN);
    }
    let mut codes = 0;
    for piece in pieces {
        let (name, plain) = piece.split_once("}}").ok_or(FOREIGN)?;
        if !matches!(name, "code" | " code ") || plain.contains("}}") {
            return Err(FOREIGN);
        }
        codes += 1;
        filled.push_str(code);
        filled.push_str(plain);
    }
    if codes == 0 {
        return Err("must contain {{code}}");
    }
    Ok(filled)
}

/// Whether a phone might turn part of `text` into a link (W11).
fn has_address(text: &str) -> bool {
    // Judged as it is shown: characters without width must not hide a name.
    let shown: Vec<char> =
        text.chars().filter(|c| !has_no_width(*c)).map(|c| c.to_ascii_lowercase()).collect();
    let lower: String = shown.iter().collect();
    lower.contains("://") || lower.contains("www.") || has_domain(&shown) || has_four_dotted_numbers(&lower)
}

/// Joiners, marks of direction, variation selectors, and the combining accents that stand behind a letter.
fn has_no_width(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{300}'..='\u{36F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// A full stop directly between a letter or digit and two or more letters.
fn has_domain(text: &[char]) -> bool {
    text.windows(4).any(|window| match window {
        [before, '.', first, second] => {
            before.is_alphanumeric() && first.is_alphabetic() && second.is_alphabetic()
        }
        _ => false,
    })
}

/// Four runs of digits with one full stop between each two of them.
fn has_four_dotted_numbers(text: &str) -> bool {
    text.split(|c: char| !c.is_numeric() && c != '.').any(|word| {
        let mut in_a_row = 0;
        word.split('.').any(|number| {
            in_a_row = if number.is_empty() { 0 } else { in_a_row + 1 };
            in_a_row == 4
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepted(text: &str) -> bool {
        SmsTemplate::parse(text).is_ok()
    }

    #[test]
    fn w11_the_default_passes_its_own_rules() {
        let default = SmsTemplate::default();
        assert_eq!(default.as_str(), "Your verification code is {{code}}.");
        assert_eq!(SmsTemplate::parse(default.as_str()), Ok(default));
    }

    #[test]
    fn w11_templates_that_pass() {
        for text in [
            "{{code}}",
            "{{ code }}",
            "{{code}} and {{ code }}",
            "Code: {{code}}\nDo not share it.",
            "Code {{code}}. Valid for 10 minutes.",
            "{{code}} is your code, e.g. for the U.S. office",
            "Version 1.2.3 says {{code}}",
            "It costs 5.50, use {{code}}",
            "{code} {{code}} }",
            "<a> ${} {%x%} $(id) {{code}}",
            "Wait... {{code}}",
            "{{code}} .com",
            "{{code}}. com",
            ".com {{code}}",
            "コードは{{code}}。ありがとう",
            "http {{code}} ww.",
        ] {
            assert_eq!(SmsTemplate::parse(text).map(|t| t.0), Ok(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn w11_f58_templates_that_do_not() {
        for text in [
            "",
            "no code",
            "{code}",
            "{{}} {{code}}",
            "{{7*7}} {{code}}",
            "{{7*7}}",
            "{{code}} {{name}}",
            "{{ code}}",
            "{{code }}",
            "{{  code  }}",
            "{{CODE}}",
            "{{{code}}}",
            "{{{{code}}}}",
            "{{code",
            "code}}",
            "{{code}} {{",
            "{{code}} }}",
            "{{code}}\r\n",
            "{{code}}\t",
            "{{code}}\0",
            "{{code}}\u{1b}",
            "{{code}}\u{7f}",
            "{{code}}\u{85}",
        ] {
            assert!(!accepted(text), "{text:?}");
        }
    }

    #[test]
    fn w11_f58_addresses_are_refused() {
        for text in [
            "https://example.org/{{code}}",
            "x://{{code}}",
            "{{code}}://x",
            "www. {{code}}",
            "WWW.{{code}}",
            "wWw.x {{code}}",
            "w\u{200b}ww.x {{code}}",
            "{{code}}.com",
            "{{ code }}.de",
            "{{code}}.Then go on",
            "example.com {{code}}",
            "EXAMPLE.COM {{code}}",
            "bücher.de {{code}}",
            "пример.рф {{code}}",
            "भारत.भारत {{code}}",
            "example\u{ad}.com {{code}}",
            "example.c\u{200d}om {{code}}",
            "example.\u{2060}com {{code}}",
            "cafe\u{301}.com {{code}}",
            "\u{130}.com {{code}}",
            "end.Next sentence {{code}}",
            "1.de {{code}}",
            "kim@example.org {{code}}",
            "1.2.3.4 {{code}}",
            "at 1.2.3.4: {{code}}",
            "v1.2.3.4.5 {{code}}",
            "999.999.999.999 {{code}}",
            "1.2.3.{{code}}",
            "{{code}}.1.2.3",
            "{{code}}.{{code}}.{{code}}.{{code}}",
            "\u{ff11}.\u{ff12}.\u{ff13}.\u{ff14} {{code}}",
        ] {
            assert_eq!(
                SmsTemplate::parse(text),
                Err("must not contain URLs, domain names or IP addresses"),
                "{text:?}"
            );
        }
    }

    #[test]
    fn w11_at_most_320_characters() {
        for filler in ["x", "é"] {
            let longest = format!("{{{{code}}}}{}", filler.repeat(312));
            assert_eq!(longest.chars().count(), 320);
            assert!(accepted(&longest));
            assert!(!accepted(&format!("{longest}{filler}")));
        }
    }

    #[test]
    fn w11_every_place_for_the_code_is_filled_in() {
        for (template, message) in [
            ("{{code}}", "042137"),
            ("Your code: {{ code }}", "Your code: 042137"),
            ("{{code}} {{ code }} {{code}}", "042137 042137 042137"),
            ("{{code}}}", "042137}"),
        ] {
            assert_eq!(SmsTemplate::parse(template).unwrap().render("042137"), message);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_kept_whole_or_refused(text in any::<String>()) {
            if let Ok(template) = SmsTemplate::parse(&text) {
                prop_assert_eq!(template.as_str(), text);
            }
        }

        /// W11 over its own alphabet: whatever passes renders to a text that holds the code, no placeholder
        /// and nothing that would be refused.
        #[test]
        fn what_passes_renders_clean(parts in proptest::collection::vec(
            prop_oneof![Just("{{code}}"), Just("{{ code }}"), Just("{"), Just("}"), Just("."), Just("1"),
                Just("www"), Just("com"), Just("://"), Just(" "), Just("é"), Just("\u{200b}")], 0..12,
        )) {
            if let Ok(template) = SmsTemplate::parse(&parts.concat()) {
                let message = template.render(SAMPLE_CODE);
                prop_assert_eq!(fill(template.as_str(), SAMPLE_CODE), Ok(message.clone()));
                prop_assert!(message.contains(SAMPLE_CODE) && !message.contains("{{") && !message.contains("}}"));
                prop_assert!(!has_address(&message));
            }
        }
    }
}
