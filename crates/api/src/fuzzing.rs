//! What the fuzz targets in `fuzz/` read requests with. Only there with the feature `fuzzing`, which nothing else switches on.

use crate::{
    body::{Given, Json, Unreadable},
    path, query,
};
use domain::{id::FactorId, page::PageRequest};

/// What a body is.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// An object, an array or another value.
    Json,
    /// Not JSON, or nested too deep.
    NotJson,
    /// JSON with one key twice in an object.
    DuplicateKey,
}

/// Reads a body, and what each of `fields` holds if it is a string.
#[must_use]
pub fn body(bytes: &[u8], fields: &[&str]) -> (Body, Vec<Option<String>>) {
    match Json::read(bytes) {
        Ok(json) => {
            let text = |field: &&str| match json.given(field) {
                Given::Text(text) => Some(text.into_owned()),
                Given::Nothing | Given::NotText => None,
            };
            (Body::Json, fields.iter().map(text).collect())
        }
        Err(Unreadable::NotJson) => (Body::NotJson, Vec::new()),
        Err(Unreadable::DuplicateKey) => (Body::DuplicateKey, Vec::new()),
    }
}

/// Reads the query of a list; how many complaints there are if it does not hold.
///
/// # Errors
/// That number.
pub fn page(text: &str) -> Result<PageRequest<FactorId>, usize> {
    query::page(Some(text)).map_err(|errors| errors.len())
}

/// Whether `strict_parameters` has something against a query.
#[must_use]
pub fn is_unknown(text: &str, pageable: bool) -> bool {
    query::unknown(Some(text), pageable).is_some()
}

/// A segment of a path, decoded: exactly, if it is UTF-8, and as far as it is.
#[must_use]
pub fn segment(text: &str) -> (Option<String>, String) {
    (path::text(text).map(|text| text.into_owned()), path::lossy(text).into_owned())
}
