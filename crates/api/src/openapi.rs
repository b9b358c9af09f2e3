//! The OpenAPI document.

/// The document as JSON.
#[must_use]
pub fn openapi() -> String {
    document().to_owned()
}

pub(crate) fn document() -> &'static str {
    "{}"
}
