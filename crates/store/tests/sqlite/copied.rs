//! What a copy walks is the whole schema; PostgreSQL's is the same by a test of its own.

use crate::laws::common::noon;
use crate::store::{
    copy::{Kind, TABLES},
    sqlite::{DataFolder, Sqlite},
};

/// What opening a store makes by itself.
const OWN: [&str; 1] = ["migration"];

/// Tables with their columns, whether each is part of the key and the tables it refers to.
type Tables = Vec<(String, Vec<(String, Kind, bool)>, Vec<String>)>;

fn of_the_schema() -> Tables {
    let dir = tempfile::tempdir().unwrap();
    let folder = DataFolder::lock(dir.path()).unwrap();
    let engine = Sqlite::open(&folder, noon(), Box::new(|_| {})).unwrap();
    let direct = rusqlite::Connection::open(engine.path()).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut rows = direct.prepare(sql).unwrap();
        rows.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let columns = |table: &str| {
        let sql = format!("SELECT name, type, pk FROM pragma_table_info('{table}') ORDER BY cid");
        let mut rows = direct.prepare(&sql).unwrap();
        let column = |r: &rusqlite::Row<'_>| {
            let kind = match r.get::<_, String>(1)?.as_str() {
                "INTEGER" => Kind::Int,
                "BLOB" => Kind::Bytes,
                "TEXT" => Kind::Text,
                other => panic!("{table} has a column of type {other}, which no copy knows"),
            };
            Ok((r.get(0)?, kind, r.get::<_, i64>(2)? > 0))
        };
        rows.query_map([], column).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let all = tables.iter().filter(|name| !OWN.contains(&name.as_str()));
    all.map(|name| {
        let refers = names(&format!("SELECT \"table\" FROM pragma_foreign_key_list('{name}')"));
        (name.clone(), columns(name), refers)
    })
    .collect()
}

#[test]
fn a_copy_walks_every_table_and_column_and_knows_its_key() {
    let listed: Tables = TABLES
        .iter()
        .map(|table| {
            let columns = table.columns.iter().enumerate();
            let columns =
                columns.map(|(i, (name, kind))| ((*name).to_owned(), *kind, i < table.key)).collect();
            (table.name.to_owned(), columns, Vec::new())
        })
        .collect();
    let mut schema = of_the_schema();
    schema.iter_mut().for_each(|(.., refers)| refers.clear());
    for table in &schema {
        assert!(listed.contains(table), "{table:?} is not in the list as it is in the schema");
    }
    assert_eq!(listed.len(), schema.len(), "the list has a table that the schema has not");
}

#[test]
fn a_table_is_copied_after_those_that_it_refers_to() {
    let place = |name: &str| TABLES.iter().position(|table| table.name == name).unwrap();
    let schema = of_the_schema();
    assert!(schema.iter().any(|(.., refers)| !refers.is_empty()), "the schema has no reference to look at");
    for (name, _, refers) in schema {
        for other in refers {
            assert!(place(&other) < place(&name), "{name} refers to {other}, which comes later");
        }
    }
}
