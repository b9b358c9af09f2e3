//! The route table (W1), and what lies beside it.

use axum::http::Method;
use domain::environment::Permission;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    EnrollFactor,
    FindFactor,
    DeleteFactor,
    OpenChallenge,
    VerifyChallenge,
    EnrollUserFactor,
    ListUserFactors,
    OpenChallengeLegacy,
    VerifyChallengeLegacy,
    FindChallenge,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// With one `{…}` at most.
    pub(crate) path: &'static str,
    pub(crate) permission: Permission,
    pub(crate) endpoint: Endpoint,
}

const fn route(method: Method, path: &'static str, permission: Permission, endpoint: Endpoint) -> Route {
    Route { method, path, permission, endpoint }
}

use Permission::{Challenge, Delete, Enroll, Read, Verify};

/// Every route that takes an API key: the nine in the order of W1, then those of W16.
#[rustfmt::skip]
pub(crate) static ROUTES: [Route; 10] = [
    route(Method::POST,   "/auth/factors/enroll",                              Enroll,    Endpoint::EnrollFactor),
    route(Method::GET,    "/auth/factors/{id}",                                Read,      Endpoint::FindFactor),
    route(Method::DELETE, "/auth/factors/{id}",                                Delete,    Endpoint::DeleteFactor),
    route(Method::POST,   "/auth/factors/{id}/challenge",                      Challenge, Endpoint::OpenChallenge),
    route(Method::POST,   "/auth/challenges/{id}/verify",                      Verify,    Endpoint::VerifyChallenge),
    route(Method::POST,   "/user_management/users/{user_id}/auth_factors",     Enroll,    Endpoint::EnrollUserFactor),
    route(Method::GET,    "/user_management/users/{user_id}/auth_factors",     Read,      Endpoint::ListUserFactors),
    route(Method::POST,   "/auth/factors/challenge",                           Challenge, Endpoint::OpenChallengeLegacy),
    route(Method::POST,   "/auth/factors/verify",                              Verify,    Endpoint::VerifyChallengeLegacy),
    route(Method::GET,    "/countersign/challenges/{id}",                      Read,      Endpoint::FindChallenge),
];

/// A page that anybody may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    OpenApi,
    Docs,
}

pub(crate) const PAGES: [(&str, Page); 2] = [("/openapi.json", Page::OpenApi), ("/docs", Page::Docs)];

/// What a method and a path lead to.
pub(crate) enum Found<'p> {
    /// A route, with what stands in the place of its `{…}`, still percent-encoded; empty if it has none.
    Route(&'static Route, &'p str),
    /// A page.
    Page(&'static str, Page),
    /// A known path and a method that it does not have.
    WrongMethod(String),
    /// Nothing.
    Nothing,
}

impl Found<'_> {
    /// The template, for logs and metrics.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Route(route, _) => route.path,
            Self::Page(path, _) => path,
            Self::WrongMethod(_) | Self::Nothing => "unmatched",
        }
    }
}

/// HEAD is answered as GET (W1).
fn serves(route: &Method, asked: &Method) -> bool {
    route == asked || (route == Method::GET && asked == Method::HEAD)
}

/// Looks up a path without its query.
pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Found<'p> {
    let mut known = false;
    for route in &ROUTES {
        if let Some(segment) = matches(route.path, path) {
            if serves(&route.method, method) {
                return Found::Route(route, segment);
            }
            known = true;
        }
    }
    if known {
        let here = ROUTES.iter().filter(|route| matches(route.path, path).is_some());
        return Found::WrongMethod(allow(here.map(|route| &route.method)));
    }
    match PAGES.iter().find(|(at, _)| *at == path) {
        Some((at, page)) if serves(&Method::GET, method) => Found::Page(at, *page),
        Some(_) => Found::WrongMethod(allow([&Method::GET].into_iter())),
        None => Found::Nothing,
    }
}

fn allow<'m>(methods: impl Iterator<Item = &'m Method>) -> String {
    let names = methods.flat_map(|method| match *method {
        Method::GET => vec!["GET", "HEAD"],
        _ => vec![method.as_str()],
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Whether a path is of a template; if so, what stands in the place of its `{…}`, which is never empty.
fn matches<'p>(template: &str, path: &'p str) -> Option<&'p str> {
    let Some((before, rest)) = template.split_once('{') else {
        return (template == path).then_some("");
    };
    let (_, after) = rest.split_once('}')?;
    let segment = path.strip_prefix(before)?.strip_suffix(after)?;
    (!segment.is_empty() && !segment.contains('/')).then_some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(method: Method, path: &str) -> Option<(Endpoint, String)> {
        match find(&method, path) {
            Found::Route(route, segment) => Some((route.endpoint, segment.to_owned())),
            _ => None,
        }
    }

    #[test]
    fn w1_words_of_other_routes_are_ids_for_get_and_delete_only() {
        for word in ["enroll", "challenge", "verify"] {
            let path = format!("/auth/factors/{word}");
            assert_eq!(endpoint(Method::GET, &path), Some((Endpoint::FindFactor, word.into())));
            assert_eq!(endpoint(Method::HEAD, &path), Some((Endpoint::FindFactor, word.into())));
            assert_eq!(endpoint(Method::DELETE, &path), Some((Endpoint::DeleteFactor, word.into())));
            assert!(endpoint(Method::POST, &path).is_some_and(|(_, segment)| segment.is_empty()));
        }
        assert_eq!(
            endpoint(Method::POST, "/auth/factors/challenge/challenge"),
            Some((Endpoint::OpenChallenge, "challenge".into()))
        );
    }

    #[test]
    fn w1_near_misses_are_no_routes() {
        for path in [
            "/",
            "/auth/factors",
            "/auth/factors/",
            "/auth/factors/enroll/",
            "/auth//factors/enroll",
            "/AUTH/factors/enroll",
            "/auth/factors/a/b/challenge",
            "/auth/factors//challenge",
            "/user_management/users//auth_factors",
            "/user_management/users/auth_factors",
            "/user_management/authenticate",
            "/docs/",
            "/countersign",
            "/countersign/challenges",
            "/countersign/challenges/",
            "/countersign/challenges/a/b",
            "/auth/challenges/a",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
                assert!(matches!(find(&method, path), Found::Nothing), "{method} {path}");
            }
        }
    }

    #[test]
    fn w1_a_wrong_method_is_told_the_right_ones() {
        for (method, path, allowed) in [
            (Method::PUT, "/auth/factors/enroll", "POST, GET, HEAD, DELETE"),
            (Method::POST, "/auth/factors/x", "GET, HEAD, DELETE"),
            (Method::OPTIONS, "/auth/factors/x/challenge", "POST"),
            (Method::DELETE, "/user_management/users/u/auth_factors", "POST, GET, HEAD"),
            (Method::POST, "/docs", "GET, HEAD"),
        ] {
            let Found::WrongMethod(allow) = find(&method, path) else { panic!("{method} {path}") };
            assert_eq!(allow, allowed);
        }
    }
}
