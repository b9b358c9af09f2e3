//! What the document shows is what the server answers.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use serde_json::Value;
use testkit::TestServer;

/// A value with everything but names taken out.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), shape(v))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Bool(_) => true.into(),
        _ => Value::Null,
    }
}

#[tokio::test]
async fn w3_the_examples_of_the_document_are_of_the_shape_that_is_answered() {
    let server = TestServer::start().await;
    let document: Value = serde_json::from_str(&countersign_api::openapi()).unwrap();
    let operation = |method: &str, path: &str| &document["paths"][path][method];
    let user_path = "/user_management/users/{user_id}/auth_factors";

    let mut factor = String::new();
    let mut challenge = String::new();
    for (method, template, status) in [
        ("post", "/auth/factors/enroll", "201"),
        ("get", "/auth/factors/{id}", "200"),
        ("get", user_path, "200"),
        ("post", user_path, "201"),
        ("post", "/auth/factors/{id}/challenge", "201"),
        ("post", "/auth/challenges/{id}/verify", "201"),
        ("post", "/auth/factors/challenge", "201"),
        ("post", "/auth/factors/verify", "201"),
        ("get", "/countersign/challenges/{id}", "200"),
        ("delete", "/auth/factors/{id}", "204"),
    ] {
        let described = operation(method, template);
        let mut body = described["requestBody"]["content"]["application/json"]["example"].clone();
        for (field, value) in
            [("authentication_factor_id", &factor), ("authentication_challenge_id", &challenge)]
        {
            if body.get(field).is_some() {
                body[field] = value.clone().into();
            }
        }
        let id = if template.contains("challenges") { &challenge } else { &factor };
        let path = template.replace("{id}", id).replace("{user_id}", "u-4711");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = server.call(&method.to_ascii_uppercase(), &path, body).await;
        assert_eq!(answer.status.to_string(), status, "{method} {template}: {}", answer.text);
        let mut expected = shape(&described["responses"][status]["content"]["application/json"]["example"]);
        if template.contains("verify") {
            expected["valid"] = true.into();
        }
        assert_eq!(shape(&answer.json), expected, "{method} {template}");
        if template.ends_with("enroll") {
            factor = answer.text_of("id").to_owned();
        }
        if template.ends_with("challenge") {
            challenge = answer.text_of("id").to_owned();
        }
    }
}

#[tokio::test]
async fn w1_the_document_shows_what_is_answered_where_there_is_no_route() {
    let server = TestServer::start().await;
    let document: Value = serde_json::from_str(&countersign_api::openapi()).unwrap();
    for (name, status, method, path) in
        [("RouteNotFound", 404, "GET", "/auth/factor"), ("MethodNotAllowed", 405, "PUT", "/auth/factors/x")]
    {
        let described = &document["components"]["responses"][name];
        let answer = server.call(method, path, "").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json, described["content"]["application/json"]["example"], "{name}");
        for header in described["headers"].as_object().unwrap().keys() {
            assert!(!answer.header(header).is_empty(), "{name} has no {header}");
        }
        let about = document["info"]["description"].as_str().unwrap();
        assert!(about.contains(&format!("{status} `{}`", answer.code())), "{about}");
    }
}

#[tokio::test]
async fn the_document_and_the_page_need_no_key() {
    let server = TestServer::start().await;
    let document = server.call_as(None, "GET", "/openapi.json", "").await;
    assert_eq!((document.status, &document.text), (200, &countersign_api::openapi()));
    assert_eq!(document.header("content-type"), "application/json; charset=utf-8");
    let page = server.call_as(None, "GET", "/docs", "").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
}
