//! Both engines have the same tables: the same columns, which of them may be null, the same keys and indexes.

use crate::bench::Bench;
use crate::laws::common::noon;
use crate::store::sqlite::{DataFolder, Sqlite};
use std::collections::BTreeSet;

/// Tables, columns, indexes, a line each.
type Lines = BTreeSet<String>;

fn of_sqlite() -> Lines {
    let dir = tempfile::tempdir().unwrap();
    let folder = DataFolder::lock(dir.path()).unwrap();
    let engine = Sqlite::open(&folder, noon(), Box::new(|_| {})).unwrap();
    let direct = rusqlite::Connection::open(engine.path()).unwrap();
    let lines = |sql: &str| -> Vec<String> {
        let mut rows = direct.prepare(sql).unwrap();
        rows.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let mut all = Lines::new();
    all.extend(lines(
        "SELECT t.name || '.' || c.name || ' ' || replace(replace(c.type, 'BLOB', 'bytea'), 'INTEGER', 'bigint')
            || iif(c.\"notnull\", ' not null', '') || iif(c.pk > 0, ' key ' || c.pk, '')
        FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'",
    ));
    all.extend(lines(
        "SELECT t.name || ' ' || iif(i.\"unique\", 'unique', 'index') || ' (' || (SELECT group_concat(name, ', ')
            FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')' || iif(i.partial, ' partial', '')
        FROM sqlite_schema AS t JOIN pragma_index_list(t.name) AS i WHERE t.type = 'table' AND i.origin <> 'pk'",
    ));
    all.into_iter().map(|line| line.replace("TEXT", "text")).collect()
}

async fn of_postgres() -> Lines {
    let mut bench = Bench::new();
    bench.open().await.close();
    let direct = bench.direct().await;
    let mut all = Lines::new();
    for sql in [
        "SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, NULL)
            || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
            || coalesce(' key ' || array_position(k.conkey, a.attnum), '')
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p'
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
        "SELECT c.relname || ' ' || CASE WHEN i.indisunique THEN 'unique' ELSE 'index' END || ' (' ||
            (SELECT string_agg(a.attname, ', ' ORDER BY p.n) FROM unnest(i.indkey) WITH ORDINALITY AS p (at, n)
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.at) || ')'
            || CASE WHEN i.indpred IS NULL THEN '' ELSE ' partial' END
        FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid AND NOT i.indisprimary
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
    ] {
        all.extend(direct.query(sql, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)));
    }
    all
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let (sqlite, postgres) = (of_sqlite(), of_postgres().await);
    assert!(sqlite.len() > 80 && sqlite.contains("factor.id bytea not null key 1"), "{sqlite:#?}");
    let only = |a: &Lines, b: &Lines| a.difference(b).cloned().collect::<Vec<_>>();
    let differs = (only(&sqlite, &postgres), only(&postgres, &sqlite));
    assert_eq!(differs, (vec![], vec![]), "only in SQLite's, only in PostgreSQL's");
}
