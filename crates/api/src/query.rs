//! Query parameters (W14), decoded as forms are (`+` is a space).

use crate::path::lossy;
use domain::{
    id::FactorId,
    page::{PageQuery, PageRequest},
    refusal::FieldError,
};
use std::borrow::Cow;

/// The parameters of route 7.
const KNOWN: [&str; 4] = ["limit", "order", "after", "before"];

/// Reads the page that is asked for. A parameter given twice is refused: two readers might choose differently.
pub(crate) fn page(query: Option<&str>) -> Result<PageRequest<FactorId>, Vec<FieldError>> {
    let mut values: [Option<Cow<'_, str>>; 4] = Default::default();
    let mut errors = Vec::new();
    for (name, value) in pairs(query) {
        let found = KNOWN.iter().zip(&mut values).find(|(known, _)| **known == name);
        let Some((known, place)) = found else { continue };
        // However often it is given, it is complained of once: an answer must not grow with what provokes it.
        let complained = errors.iter().any(|error: &FieldError| error.field == *known);
        if place.replace(value).is_some() && !complained {
            errors.push(FieldError::new(known, "must not be given more than once"));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    // Empty is absent, as in a body (W4): old SDKs write what they do not use as "".
    let [limit, order, after, before] = &values.map(|value| value.filter(|value| !value.is_empty()));
    let query = PageQuery {
        limit: limit.as_deref(),
        order: order.as_deref(),
        after: after.as_deref(),
        before: before.as_deref(),
    };
    query.parse(FactorId::parse).map_err(|problems| {
        problems.into_iter().map(|(field, problem)| FieldError::new(field.name(), problem)).collect()
    })
}

/// What the setting `strict_parameters` has against a query; names are the caller's text and not repeated.
pub(crate) fn unknown(query: Option<&str>, pageable: bool) -> Option<FieldError> {
    let known = |name: &str| pageable && KNOWN.contains(&name);
    pairs(query)
        .any(|(name, _)| !known(&name))
        .then(|| FieldError::new("query", "must not have unknown parameters"))
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') { Cow::Owned(lossy(&text.replace('+', " ")).into_owned()) } else { lossy(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::page::Order;

    fn fields(query: &str) -> Vec<&'static str> {
        page(Some(query)).err().unwrap_or_default().into_iter().map(|e| e.field).collect()
    }

    #[test]
    fn w14_parameters_are_read_and_unknown_ones_are_not() {
        assert_eq!(page(None).unwrap().limit, 10);
        let read = page(Some("limit=%37&x=1&&order=asc&after=&before=")).unwrap();
        assert_eq!((read.limit, read.order, read.cursor), (7, Order::Ascending, None));
        assert_eq!(fields("limit=0&order=x&after=%ff"), ["limit", "order", "after"]);
        assert_eq!(fields("limit&order=&after="), [""; 0]);
        assert_eq!(fields("limit=1+"), ["limit"]);
    }

    #[test]
    fn a_parameter_given_twice_is_refused_by_name() {
        assert_eq!(fields("limit=1&limit=2"), ["limit"]);
        assert_eq!(fields("limit=1&order=asc&limit=2&order=asc&limit=3&limit="), ["limit", "order"]);
        assert_eq!(fields("x=1&x=2"), [""; 0]);
    }

    #[test]
    fn w4_strict_parameters_know_a_routes_own() {
        assert!(unknown(None, false).is_none());
        assert!(unknown(Some("limit=1&before="), true).is_none());
        assert!(unknown(Some("limit=1"), false).is_some());
        assert!(unknown(Some("limit=1&secret=2"), true).is_some_and(|e| !e.problem.contains("secret")));
    }
}
