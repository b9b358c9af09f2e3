//! Values as text: a list of objects as a table, one object as lines, anything as JSON if a machine reads it.

use crate::output::{bold, say};
use serde_json::{Map, Value};

/// Prints a value: as JSON, or for people. Of a list's objects these columns are shown; of a single object everything,
/// these first.
pub(crate) fn show(value: &Value, json: bool, columns: &[&str], nothing: &str) {
    if json {
        say(&value.to_string());
        return;
    }
    match value {
        Value::Array(rows) if rows.is_empty() => say(nothing),
        Value::Array(rows) => say(&table(rows, columns)),
        Value::Object(fields) => say(&lines(fields, columns)),
        other => say(&text(other)),
    }
}

/// A value in a cell.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        // What callers named may hold anything but control characters; these are replaced all the same.
        Value::String(text) => text.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        other => other.to_string(),
    }
}

fn table(rows: &[Value], columns: &[&str]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| columns.iter().map(|c| text(row.get(*c).unwrap_or(&Value::Null))).collect())
        .collect();
    let width = |at: usize, column: &&str| {
        let longest = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
        longest.unwrap_or(0).max(column.len())
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(at, c)| width(at, c)).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = columns.iter().map(|c| c.to_uppercase().replace('_', " ")).collect();
    let mut out = bold(&line(&head));
    for row in &cells {
        out.push('\n');
        out.push_str(&line(row));
    }
    out
}

fn lines(fields: &Map<String, Value>, first: &[&str]) -> String {
    let width = fields.keys().map(|k| k.len()).max().unwrap_or(0);
    let line = |(name, value): (&str, &Value)| format!("{name:width$}  {}", text(value));
    let leading = first.iter().filter_map(|name| Some((*name, fields.get(*name)?)));
    let others = fields.iter().map(|(name, value)| (name.as_str(), value));
    let others = others.filter(|(name, _)| !first.contains(name));
    leading.chain(others).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_is_a_table_and_an_object_is_lines() {
        let rows =
            [json!({ "name": "a", "n": 1, "more": true }), json!({ "name": "longer\u{1b}[2J", "n": null })];
        assert_eq!(table(&rows, &["name", "n"]), "NAME        N\na           1\nlonger?[2J  -");
        let Value::Object(fields) = json!({ "id": "x", "state": "usable" }) else { panic!() };
        assert_eq!(lines(&fields, &[]), "id     x\nstate  usable");
        assert_eq!(lines(&fields, &["state", "none"]), "state  usable\nid     x");
    }
}
