//! A catalogue statement in PostgreSQL's words: with its row lock, and once for many.

use super::desk::Value;
use crate::statement::Statement;
use tokio_postgres::types::Type;

/// The forms of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As in the catalogue.
    Plain,
    /// With its row lock.
    Locking,
    /// With its row lock if it has one, over arrays of parameters. Rows come with their place in the arrays before them;
    /// so do changed rows, but those of an INSERT.
    ForMany,
}

/// The text of a form and the types of its parameters.
pub(super) fn text(statement: &Statement, form: Form, params: &[Value]) -> (String, Vec<Type>) {
    let clause = statement.sharing.lock.and_then(|lock| lock.rows).unwrap_or_default();
    match form {
        Form::Plain => (statement.sql.to_owned(), params.iter().map(|p| p.types().0).collect()),
        Form::Locking => {
            (format!("{} {clause}", statement.sql), params.iter().map(|p| p.types().0).collect())
        }
        Form::ForMany => {
            let types: Vec<Type> = params.iter().map(|p| p.types().1).collect();
            (for_many(statement.sql, clause, &types), types)
        }
    }
}

/// The source of the parameters: a row for each in the arrays, `q.p1`, `q.p2`, … and its place `q.n`.
fn source(types: &[Type]) -> String {
    let numbered = || types.iter().enumerate().map(|(i, ty)| (i + 1, ty.name().trim_start_matches('_')));
    let arrays: Vec<String> = numbered().map(|(i, element)| format!("${i}::{element}[]")).collect();
    let names: String = numbered().map(|(i, _)| format!("p{i}, ")).collect();
    let arrays = arrays.join(", ");
    format!("unnest({arrays}) WITH ORDINALITY AS q ({names}n)")
}

fn for_many(sql: &str, clause: &str, types: &[Type]) -> String {
    let source = source(types);
    let sql = sql.replace('$', "q.p");
    if let Some((head, tail)) = sql.split_once("VALUES (") {
        let (values, rest) = tail.split_once(')').unwrap_or((tail, ""));
        return format!("{head}SELECT {values} FROM {source} ORDER BY q.n {rest}");
    }
    let (head, condition) = sql.split_once("WHERE ").unwrap_or((&sql, "TRUE"));
    match head.strip_prefix("SELECT ") {
        Some(columns) => format!("SELECT q.n, {columns}, {source} WHERE {condition} {clause}"),
        None => format!("{head} FROM {source} WHERE {condition} RETURNING q.n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_for_many_takes_its_parameters_from_arrays() {
        let types = [Type::BYTEA_ARRAY, Type::INT8_ARRAY];
        let q = "unnest($1::bytea[], $2::int8[]) WITH ORDINALITY AS q (p1, p2, n)";
        for (sql, clause, expected) in [
            (
                "SELECT a FROM t WHERE x = $1",
                "FOR UPDATE",
                format!("SELECT q.n, a FROM t , {q} WHERE x = q.p1 FOR UPDATE"),
            ),
            (
                "UPDATE t SET a = $2 WHERE x = $1",
                "",
                format!("UPDATE t SET a = q.p2  FROM {q} WHERE x = q.p1 RETURNING q.n"),
            ),
            (
                "INSERT INTO t (a, b, c) VALUES ($1, 'w', $2) ON CONFLICT DO NOTHING",
                "",
                format!(
                    "INSERT INTO t (a, b, c) SELECT q.p1, 'w', q.p2 FROM {q} ORDER BY q.n  ON CONFLICT DO NOTHING"
                ),
            ),
        ] {
            assert_eq!(for_many(sql, clause, &types), expected);
        }
    }
}
