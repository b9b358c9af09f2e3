//! Texts with places to fill in, for gateways that speak their own way.

use domain::delivery::Delivery;

/// What can be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The number with its `+`.
    To,
    /// The number without it.
    ToDigits,
    /// The text, code included.
    Text,
    /// The code by itself.
    Code,
    /// Who sends, as configured.
    From,
    /// The secret.
    Secret,
    /// The id of the message here: the same however often it is tried.
    Id,
    /// Where receipts go.
    CallbackUrl,
}

impl Slot {
    const ALL: [(Self, &'static str); 8] = [
        (Self::To, "to"),
        (Self::ToDigits, "to_digits"),
        (Self::Text, "text"),
        (Self::Code, "code"),
        (Self::From, "from"),
        (Self::Secret, "secret"),
        (Self::Id, "id"),
        (Self::CallbackUrl, "callback_url"),
    ];
}

/// How a value has to be written where it is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is: headers and plain text.
    Plain,
    /// In a URL or a form.
    Url,
    /// In a JSON string, between its quotes.
    Json,
    /// In an element or attribute.
    Xml,
}

impl Encoding {
    /// That of a body, by its media type.
    pub(crate) fn of(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Url),
            "application/xml" | "text/xml" | "application/soap+xml" => Some(Self::Xml),
            "text/plain" => Some(Self::Plain),
            _ => None,
        }
    }

    fn write(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Url => crate::http::encoded(value),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                inner.unwrap_or_default().to_owned()
            }
            Self::Xml => {
                let mut written = String::with_capacity(value.len());
                for c in value.chars() {
                    match c {
                        '&' => written.push_str("&amp;"),
                        '<' => written.push_str("&lt;"),
                        '>' => written.push_str("&gt;"),
                        '"' => written.push_str("&quot;"),
                        '\'' => written.push_str("&apos;"),
                        other => written.push(other),
                    }
                }
                written
            }
        }
    }
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Texts, each with the slot that follows it.
    parts: Vec<(String, Option<Slot>)>,
    encoding: Encoding,
}

/// What is filled in.
pub(crate) struct Values<'a> {
    pub(crate) to: &'a str,
    pub(crate) text: &'a str,
    pub(crate) code: &'a str,
    pub(crate) from: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) id: &'a str,
    pub(crate) callback_url: &'a str,
}

impl<'a> Values<'a> {
    pub(crate) fn of(
        delivery: &'a Delivery,
        id: &'a str,
        from: &'a str,
        secret: &'a str,
        callback_url: &'a str,
    ) -> Self {
        let (to, text, code) = (delivery.to.reveal(), delivery.body.reveal(), delivery.code.reveal());
        Self { to, text, code, from, secret, id, callback_url }
    }
}

impl Template {
    /// Reads `{{name}}` places.
    ///
    /// # Errors
    /// Which place is not known, or not closed.
    pub(crate) fn parse(text: &str, encoding: Encoding) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or("has {{ without }}")?;
            let found = Slot::ALL.into_iter().find(|(_, word)| *word == name.trim());
            let Some((slot, _)) = found else {
                let names = Slot::ALL.map(|(_, word)| format!("{{{{{word}}}}}"));
                return Err(format!("has {{{{{name}}}}}; there are {}", names.join(", ")));
            };
            parts.push((before.to_owned(), Some(slot)));
            rest = after;
        }
        parts.push((rest.to_owned(), None));
        Ok(Self { parts, encoding })
    }

    /// Whether it is a JSON document.
    pub(crate) fn is_json(&self) -> bool {
        self.encoding == Encoding::Json
    }

    /// Whether it holds a place.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.parts.iter().any(|(_, held)| *held == Some(slot))
    }

    /// Fills it in. What is filled in is never read as a template again.
    pub(crate) fn fill(&self, values: &Values<'_>) -> String {
        let mut filled = String::new();
        for (text, slot) in &self.parts {
            filled.push_str(text);
            let Some(slot) = slot else { continue };
            filled.push_str(&self.encoding.write(match slot {
                Slot::To => values.to,
                Slot::ToDigits => values.to.trim_start_matches('+'),
                Slot::Text => values.text,
                Slot::Code => values.code,
                Slot::From => values.from,
                Slot::Secret => values.secret,
                Slot::Id => values.id,
                Slot::CallbackUrl => values.callback_url,
            }));
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values<'static> = Values {
        to: "+14155550101",
        text: "a\"b\\\n<é>&'{{code}}",
        code: "042042",
        from: "Us",
        secret: "s",
        id: "delivery_1",
        callback_url: "https://auth.example.com/countersign/callbacks/gw",
    };

    #[test]
    fn f58_what_is_filled_in_stays_inert_in_every_kind_of_body() {
        let fill = |text: &str, encoding| Template::parse(text, encoding).unwrap().fill(&VALUES);
        let json = fill(r#"{"t":"{{text}}","n":"{{ to }}"}"#, Encoding::Json);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((read["t"].as_str(), read["n"].as_str()), (Some(VALUES.text), Some(VALUES.to)));
        let form = fill("n={{to_digits}}&t={{text}}", Encoding::Url);
        assert_eq!(form, "n=14155550101&t=a%22b%5C%0A%3C%C3%A9%3E%26%27%7B%7Bcode%7D%7D");
        let xml = fill("<t a='{{text}}'/>", Encoding::Xml);
        assert_eq!(xml, "<t a='a&quot;b\\\n&lt;é&gt;&amp;&apos;{{code}}'/>");
    }

    #[test]
    fn a_place_that_is_not_known_or_not_closed_is_named() {
        let wrong = |text| Template::parse(text, Encoding::Plain).unwrap_err();
        assert!(wrong("{{name}}").contains("{{name}}") && wrong("{{name}}").contains("{{to_digits}}"));
        assert!(wrong("a {{to").contains("without }}"));
        assert!(Template::parse("} { }} {x}", Encoding::Plain).is_ok());
    }
}
