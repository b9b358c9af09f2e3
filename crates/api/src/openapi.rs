//! The OpenAPI document, made from the route table and the types that are written.

mod examples;
mod operations;
mod requests;

use crate::{
    fault::Unauthorized,
    refusal::{FieldProblem, Problem},
    routes::{ROUTES, Route},
    timeline::{DeliveryBody, HappeningBody, TimelineBody},
    wire::{
        ChallengeBody, FactorBody, ListBody, ListMetadata, SmsBody, TotpBody, UserEnrollmentBody, VerifyBody,
    },
};
use operations::{Operation, operation};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use utoipa::openapi::schema::ComponentsBuilder;

/// What is true of all routes, and of no route in particular: an operation cannot say what another method is answered.
const ABOUT: &str = "Multi-factor authentication that speaks WorkOS's MFA API. Every answer of a route is a JSON object, or \
    204 without a body, and carries `x-request-id`. A wrong code is not an error: it is answered 201 with `valid` false. \
    Where there is no route, the answer is 404 `route_not_found`; where there is one, but not for this method, 405 \
    `method_not_allowed` with `allow`. What cannot be read as HTTP is answered 400 or 431 without a body.";

/// The document as indented JSON, the same for the same version.
#[must_use]
pub fn openapi() -> String {
    document().to_owned()
}

/// As [`openapi`], made once.
pub(crate) fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| format!("{:#}\n", value()))
}

/// The document as a value.
pub(crate) fn value() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Countersign",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
            "description": ABOUT,
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiKey": [] }],
        "tags": [
            { "name": "Factors", "description": "What users prove their presence with." },
            { "name": "Challenges", "description": "Asking for a code, and judging it." },
        ],
        "paths": paths(),
        "components": components(),
    })
}

fn paths() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.as_str().to_ascii_lowercase(), described(route));
        }
    }
    Value::Object(paths)
}

fn described(route: &Route) -> Value {
    let about = operation(route.endpoint);
    let mut described = json!({
        "operationId": about.id,
        "tags": [about.tag],
        "summary": about.summary,
        "description": format!("{} Needs the permission `{}`.", about.description, word(route)),
        "responses": responses(&about),
    });
    let parameters = parameters(route, &about);
    if let Some(described) = described.as_object_mut() {
        if !parameters.is_empty() {
            described.insert("parameters".into(), Value::Array(parameters));
        }
        if let Some((schema, required)) = about.request {
            let content = json!({ "application/json": { "schema": reference(schema), "example": examples::request(schema) } });
            described.insert("requestBody".into(), json!({ "required": required, "content": content }));
        }
    }
    described
}

fn word(route: &Route) -> &'static str {
    let all = domain::environment::Permission::ALL;
    all.into_iter().find(|(permission, _)| *permission == route.permission).map_or("", |(_, word)| word)
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn parameters(route: &Route, about: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    let name = route.path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name);
    if let Some(name) = name {
        let schema = if name == "user_id" {
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$" })
        } else {
            json!({ "type": "string", "minLength": 1 })
        };
        let description = if name == "user_id" { "Your own id of the user." } else { "The object's id." };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": description, "schema": schema,
        }));
    }
    if about.request.is_some() {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    if about.pages {
        for name in ["Limit", "Order", "After", "Before"] {
            parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
        }
    }
    parameters
}

fn responses(about: &Operation) -> Value {
    let mut responses = Map::new();
    let success = match about.answer {
        Some(schema) => json!({
            "description": about.outcome,
            "headers": headers(false),
            "content": { "application/json": { "schema": reference(schema), "example": examples::answer(about.id) } },
        }),
        None => json!({ "description": about.outcome, "headers": headers(false) }),
    };
    responses.insert(about.status.to_string(), success);
    for (status, codes) in about.refusals() {
        let mut description = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        if status == 401 {
            description = "The API key is missing, malformed, unknown, revoked or expired.".into();
        }
        let schema = if status == 401 { "Unauthorized" } else { "Error" };
        let shown: Map<String, Value> = codes
            .iter()
            .map(|code| ((*code).to_owned(), json!({ "value": examples::error(status, code) })))
            .collect();
        let refused = json!({
            "description": description,
            "headers": headers(matches!(status, 429 | 503)),
            "content": { "application/json": { "schema": reference(schema), "examples": shown } },
        });
        responses.insert(status.to_string(), refused);
    }
    Value::Object(responses)
}

fn headers(may_retry: bool) -> Value {
    let mut headers = json!({ "x-request-id": { "$ref": "#/components/headers/RequestId" } });
    if let (true, Some(headers)) = (may_retry, headers.as_object_mut()) {
        headers.insert("retry-after".into(), json!({ "$ref": "#/components/headers/RetryAfter" }));
    }
    headers
}

/// Answers that no operation gives.
fn without_a_route() -> Value {
    let answer = |description: &str, headers: Value, example: Value| {
        let content = json!({ "application/json": { "schema": reference("Error"), "example": example } });
        json!({ "description": description, "headers": headers, "content": content })
    };
    let mut allowing = headers(false);
    if let Some(headers) = allowing.as_object_mut() {
        headers.insert("allow".into(), json!({ "$ref": "#/components/headers/Allow" }));
    }
    json!({
        "RouteNotFound": answer("404 to any path without a route.", headers(false), examples::no_route()),
        "MethodNotAllowed": answer(
            "405 to a method that the path does not have. It has `HEAD` where it has `GET`.",
            allowing,
            examples::wrong_method(),
        ),
    })
}

fn components() -> Value {
    let derived = ComponentsBuilder::new()
        .schema_from::<FactorBody<'_>>()
        .schema_from::<SmsBody<'_>>()
        .schema_from::<TotpBody<'_>>()
        .schema_from::<ChallengeBody<'_>>()
        .schema_from::<VerifyBody<'_>>()
        .schema_from::<UserEnrollmentBody<'_>>()
        .schema_from::<ListBody<'_>>()
        .schema_from::<ListMetadata>()
        .schema_from::<TimelineBody<'_>>()
        .schema_from::<DeliveryBody<'_>>()
        .schema_from::<HappeningBody>()
        .schema_from::<Problem<'_>>()
        .schema_from::<FieldProblem>()
        .schema_from::<Unauthorized>()
        .build();
    // The types are ours and serialize; an empty document would not pass its test.
    let mut components = serde_json::to_value(derived).unwrap_or_default();
    if let Some(schemas) = components.get_mut("schemas").and_then(Value::as_object_mut) {
        schemas.extend(requests::schemas());
    }
    if let Some(components) = components.as_object_mut() {
        components.insert("parameters".into(), requests::parameters());
        components.insert(
            "headers".into(),
            json!({
                "RequestId": {
                    "description": "A fresh UUID for every answer, to be quoted to the operator.",
                    "required": true,
                    "schema": { "type": "string", "format": "uuid" },
                },
                "Allow": {
                    "description": "The methods that the path has, divided by a comma and a space.",
                    "required": true,
                    "schema": { "type": "string", "examples": ["GET, HEAD, DELETE"] },
                },
                "RetryAfter": {
                    "description": "Whole seconds. Only with `rate_limit_exceeded` and 503.",
                    "schema": { "type": "integer", "minimum": 1, "maximum": 5 },
                },
            }),
        );
        components.insert("responses".into(), without_a_route());
        let scheme = json!({ "type": "http", "scheme": "bearer", "description": "An API key, `sk_test_…` or `sk_live_…`." });
        components.insert("securitySchemes".into(), json!({ "apiKey": scheme }));
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything a `$ref` names is there.
    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(at: &Value, root: &Value) {
            match at {
                Value::Object(members) => {
                    if let Some(Value::String(to)) = members.get("$ref") {
                        assert!(root.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                    }
                    members.values().for_each(|value| walk(value, root));
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, root)),
                _ => {}
            }
        }
        let root = value();
        walk(&root, &root);
    }

    #[test]
    fn w1_every_route_of_the_table_is_described_once() {
        let document = value();
        let mut ids = std::collections::HashSet::new();
        for route in &ROUTES {
            let method = route.method.as_str().to_ascii_lowercase();
            let described = &document["paths"][route.path][method];
            assert!(ids.insert(described["operationId"].as_str().unwrap().to_owned()));
            for status in ["401", "403", "422", "429", "500", "503"] {
                assert!(described["responses"][status].is_object(), "{} {status}", route.path);
            }
        }
        assert_eq!(ids.len(), ROUTES.len());
    }

    /// W3: "only `list_metadata` has nulls".
    #[test]
    fn w3_nothing_but_list_metadata_may_be_null() {
        let document = value();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let nullable = schema.to_string().contains("\"null\"");
            let may = name == "ListMetadata" || name.ends_with("Request") || name.starts_with("Enroll");
            assert!(!nullable || may, "{name}: {schema}");
        }
    }

    /// The file that people read is the one that the server serves. After a change, write it anew:
    /// `COUNTERSIGN_WRITE_OPENAPI=1 cargo test -p countersign-api the_document`.
    #[test]
    fn the_document_in_docs_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        if std::env::var_os("COUNTERSIGN_WRITE_OPENAPI").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), document(), "docs/openapi.json is out of date");
    }
}
