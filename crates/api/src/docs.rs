//! `/docs`: the document as a page. It loads nothing, runs nothing, and follows the reader's light or dark.

use crate::{openapi, reply::Reply, routes::ROUTES};
use serde_json::{Map, Value};
use std::sync::OnceLock;

const STYLE: &str = include_str!("docs/style.css");

/// The page.
pub(crate) fn reply() -> Reply {
    static PAGE: OnceLock<String> = OnceLock::new();
    Reply::page(PAGE.get_or_init(|| page(&openapi::value())))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Escaped, with `…` as code.
fn prose(text: &str) -> String {
    let mut html = String::new();
    for (n, part) in text.split('`').enumerate() {
        let part = escaped(part);
        html.push_str(&if n % 2 == 1 { format!("<code>{part}</code>") } else { part });
    }
    html
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// What a `$ref` names, or the value itself.
fn resolved<'v>(root: &'v Value, value: &'v Value) -> &'v Value {
    let to = value["$ref"].as_str().and_then(|to| root.pointer(to.trim_start_matches('#')));
    to.unwrap_or(value)
}

fn page(root: &Value) -> String {
    let (mut contents, mut body) = (String::new(), String::new());
    // In the order of the route table, which is that of use; the document's own is alphabetic.
    for route in &ROUTES {
        let method = route.method.as_str();
        let operation = &root["paths"][route.path][method.to_ascii_lowercase()];
        let id = text(operation, "operationId");
        let shown = format!(
            "<span class=\"m {method}\">{method}</span> <span class=\"p\">{}</span>",
            escaped(route.path).replace('/', "/<wbr>")
        );
        let summary = prose(text(operation, "summary"));
        put(&mut contents, format_args!("<li><a href=\"#{id}\">{summary}</a></li>"));
        put(&mut body, format_args!("<section id=\"{id}\"><h2>{summary}</h2><p class=\"r\">{shown}</p>"));
        put(&mut body, format_args!("<p>{}</p>", prose(text(operation, "description"))));
        parameters(root, operation, &mut body);
        request(root, operation, &mut body);
        responses(root, operation, &mut body);
        body.push_str("</section>");
    }
    let schemas = schemas(root);
    let (title, about) = (escaped(text(&root["info"], "title")), prose(text(&root["info"], "description")));
    let version = escaped(text(&root["info"], "version"));
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title} API</title><style>{STYLE}</style></head><body><a class=\"skip\" href=\"#main\">Skip to the routes</a>\
         <header><h1>{title} API <small>{version}</small></h1><p>{about}</p><p>Send your API key as \
         <code>Authorization: Bearer sk_…</code>. The same as a document: <a href=\"/openapi.json\">openapi.json</a>.</p>\
         </header><nav aria-label=\"Routes\"><ul>{contents}<li><a href=\"#objects\">Objects</a></li></ul></nav>\
         <main id=\"main\" tabindex=\"-1\">{body}<section id=\"objects\"><h2>Objects</h2>{schemas}</section></main></body></html>"
    )
}

fn put(html: &mut String, what: std::fmt::Arguments<'_>) {
    html.push_str(&what.to_string());
}

/// A table whose rows are a name, what it may be, and what it means.
fn table(heading: &str, rows: &[(String, String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut html = format!("<h3>{heading}</h3><div class=\"t\" tabindex=\"0\"><table><tbody>");
    for (name, kind, meaning) in rows {
        put(
            &mut html,
            format_args!(
                "<tr><th scope=\"row\"><code>{name}</code></th><td>{kind}</td><td>{meaning}</td></tr>"
            ),
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

fn parameters(root: &Value, operation: &Value, html: &mut String) {
    let all = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<_> = all
        .iter()
        .map(|parameter| resolved(root, parameter))
        .map(|p| (escaped(text(p, "name")), escaped(text(p, "in")), prose(text(p, "description"))))
        .collect();
    html.push_str(&table("Parameters", &rows));
}

/// What a schema may be, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(to) = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escaped(to));
    }
    if let Some(word) = schema["const"].as_str() {
        return format!("<code>{}</code>", escaped(word));
    }
    match &schema["type"] {
        Value::String(one) if one == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(one) => escaped(one),
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).map(escaped).collect::<Vec<_>>().join(" or ")
        }
        _ => {
            let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
            choices.into_iter().flatten().map(kind).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn fields(heading: &str, schema: &Value) -> String {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|r| r == name));
    let rows: Vec<_> = members(&schema["properties"])
        .map(|(name, field)| {
            let need = if required(name) { "" } else { ", optional" };
            (escaped(name), format!("{}{need}", kind(field)), prose(text(field, "description")))
        })
        .collect();
    table(heading, &rows)
}

fn example(value: &Value) -> String {
    format!("<pre tabindex=\"0\">{}</pre>", escaped(&format!("{value:#}")))
}

fn request(root: &Value, operation: &Value, html: &mut String) {
    let content = &operation["requestBody"]["content"]["application/json"];
    if content.is_null() {
        return;
    }
    let schema = resolved(root, &content["schema"]);
    match schema["oneOf"].as_array() {
        Some(choices) => {
            for choice in choices {
                let choice = resolved(root, choice);
                let word = text(&choice["properties"]["type"], "const");
                html.push_str(&fields(&format!("Body, type <code>{}</code>", escaped(word)), choice));
            }
        }
        None => html.push_str(&fields("Body", schema)),
    }
    html.push_str(&example(&content["example"]));
}

fn responses(root: &Value, operation: &Value, html: &mut String) {
    html.push_str("<h3>Answers</h3>");
    for (status, response) in members(&operation["responses"]) {
        let content = &response["content"]["application/json"];
        let open = if status.starts_with('2') { " open" } else { "" };
        put(html, format_args!("<details{open}><summary><b>{status}</b> "));
        put(html, format_args!("{}</summary>", prose(text(response, "description"))));
        if !content.is_null() {
            put(html, format_args!("<p>{}</p>", kind(&content["schema"])));
        }
        if !content["example"].is_null() {
            html.push_str(&example(&content["example"]));
        }
        for (_, one) in members(&content["examples"]) {
            html.push_str(&example(resolved(root, &one["value"])));
        }
        html.push_str("</details>");
    }
}

fn schemas(root: &Value) -> String {
    let mut html = String::new();
    for (name, schema) in members(&root["components"]["schemas"]) {
        let name = escaped(name);
        put(&mut html, format_args!("<div id=\"{name}\">{}", fields(&name, schema)));
        put(&mut html, format_args!("<p>{}</p></div>", prose(text(schema, "description"))));
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::ROUTES;

    #[test]
    fn the_page_shows_every_route_and_loads_nothing() {
        let page = page(&openapi::value());
        for route in &ROUTES {
            assert!(page.contains(&route.path.replace('/', "/<wbr>")), "{}", route.path);
        }
        for loading in ["<script", "<link", "<img", "http://", "https://", "url(", "@import"] {
            assert!(!page.contains(loading), "{loading}");
        }
        for code in ["authentication_challenge_expired", "rate_limit_exceeded", "entity_not_found"] {
            assert!(page.contains(code), "{code}");
        }
        assert!(page.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn text_is_escaped_and_code_is_marked() {
        assert_eq!(prose("a `<b>` & c"), "a <code>&lt;b&gt;</code> &amp; c");
    }
}
