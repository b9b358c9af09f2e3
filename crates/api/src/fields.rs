//! The fields of a body, one after the other, with everything that is wrong with them.

use crate::body::{Given, Json};
use domain::refusal::FieldError;
use std::borrow::Cow;

/// Reads fields and gathers complaints (W4).
pub(crate) struct Fields<'a> {
    json: Json<'a>,
    is_object: bool,
    errors: Vec<FieldError>,
}

/// How a field is complained of that must be there.
pub(crate) const EMPTY: &str = "should not be empty";
/// How a field is complained of that is of the wrong JSON type.
pub(crate) const NOT_TEXT: &str = "must be a string";
/// How a word is complained of that is none of those allowed.
pub(crate) const NOT_A_VALUE: &str = "must be a valid enum value";

impl<'a> Fields<'a> {
    /// Begins with a body; `[]` counts as an empty object where it is allowed to.
    pub(crate) fn of(json: Json<'a>, array_is_nothing: bool) -> Self {
        let is_object = match json {
            Json::Nothing | Json::Object(_) => true,
            Json::EmptyArray => array_is_nothing,
            Json::Other => false,
        };
        let mut errors = Vec::new();
        if !is_object {
            errors.push(FieldError::new("body", "must be a JSON object"));
        }
        Self { json, is_object, errors }
    }

    /// Complains of fields of other names (setting `strict_parameters`). Names are the caller's text: not repeated.
    pub(crate) fn only(&mut self, known: &[&str]) {
        if self.json.has_other_than(known) {
            self.errors.push(FieldError::new("body", "must not have unknown fields"));
        }
    }

    /// Adds a complaint.
    pub(crate) fn complain(&mut self, field: &'static str, problem: &str) {
        self.errors.push(FieldError::new(field, problem));
    }

    /// A field that may be absent.
    pub(crate) fn optional(&mut self, field: &'static str) -> Option<Cow<'a, str>> {
        self.peek(field).unwrap_or_else(|problem| {
            self.complain(field, problem);
            None
        })
    }

    /// A field that may be absent, with what is wrong with it kept apart from the rest.
    pub(crate) fn peek(&self, field: &'static str) -> Result<Option<Cow<'a, str>>, &'static str> {
        match self.json.given(field) {
            Given::Nothing => Ok(None),
            Given::Text(text) => Ok(Some(text)),
            Given::NotText => Err(NOT_TEXT),
        }
    }

    /// A field that must be there. `None` only after a complaint.
    pub(crate) fn required(&mut self, field: &'static str) -> Option<Cow<'a, str>> {
        if !self.is_object {
            // There is one complaint already, and it says it all.
            return None;
        }
        let given = self.peek(field).and_then(|text| text.ok_or(EMPTY));
        given.map_err(|problem| self.complain(field, problem)).ok()
    }

    /// Everything that is wrong so far.
    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }
}
