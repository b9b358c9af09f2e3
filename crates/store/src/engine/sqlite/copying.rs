//! A data folder as one end of a copy.

use super::{
    connection::{belongs_to_us, named, open_reader, open_writer},
    folder::{DataFolder, OpenError},
    migrate::{bring, has_mark, is_known, is_of_this_version},
};
use crate::copy::{
    Kind, TABLES, Table,
    place::{IDENTITY, MARK, Progress, Reached},
    row::{Cell, Row},
};
use domain::time::Timestamp;
use rusqlite::{
    Connection, ToSql, TransactionBehavior, params_from_iter, types::ToSqlOutput, types::ValueRef,
};
use std::path::PathBuf;

/// Pages of the log after which a commit copies it into the database: nobody else waits meanwhile.
const CHECKPOINT_PAGES: i32 = 16_384;

/// A database that nobody else has open: its folder is locked while this lives.
pub(crate) struct Copying {
    connection: Connection,
    path: PathBuf,
    folder: DataFolder,
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(n) => ValueRef::Integer(*n),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// A value that the schema lets stand in a column of that kind.
fn cell(value: ValueRef<'_>, kind: Kind) -> Option<Cell> {
    Some(match (value, kind) {
        (ValueRef::Null, _) => Cell::Null,
        (ValueRef::Integer(n), Kind::Int) => Cell::Int(n),
        (ValueRef::Blob(bytes), Kind::Bytes) => Cell::Bytes(bytes.to_vec()),
        (ValueRef::Text(text), Kind::Text) => Cell::Text(std::str::from_utf8(text).ok()?.to_owned()),
        _ => return None,
    })
}

impl Copying {
    /// Opens the database of a locked folder to read one snapshot of it. `None` if no store was ever made in it.
    ///
    /// # Errors
    /// When it is another program's, of another version, damaged, or itself a copy that did not end.
    pub(crate) fn source(folder: DataFolder) -> Result<Option<Self>, OpenError> {
        let path = folder.database();
        let connection = open_reader(&path)?;
        if !belongs_to_us(&connection, &path)? {
            return Ok(None);
        }
        connection.execute_batch("BEGIN").map_err(|e| named(&path, &e))?;
        if has_mark(&connection, &path)? {
            return Err(OpenError::HalfCopied(path));
        }
        is_of_this_version(&connection, &path)?;
        Ok(Some(Self { connection, path, folder }))
    }

    /// Opens the database of a locked folder to write it, making or migrating it if necessary.
    ///
    /// # Errors
    /// As when it is opened to be served.
    pub(crate) fn target(folder: DataFolder, now: Timestamp) -> Result<Self, OpenError> {
        let path = folder.database();
        let mut connection = open_writer(&path)?;
        is_known(&connection, &path)?;
        bring(&mut connection, &path, now)?;
        connection
            .pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
            .map_err(|e| named(&path, &e))?;
        folder.sync()?;
        Ok(Self { connection, path, folder })
    }

    pub(crate) fn count(&mut self, table: &Table) -> Result<u64, OpenError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: i64 =
            self.connection.query_row(&sql, [], |row| row.get(0)).map_err(|e| named(&self.path, &e))?;
        Ok(count.unsigned_abs())
    }

    pub(crate) fn page(
        &mut self,
        table: &Table,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, OpenError> {
        let unusable = |e: rusqlite::Error| named(&self.path, &e);
        let sql = table.page(after.is_some(), '?', limit);
        let mut statement = self.connection.prepare_cached(&sql).map_err(unusable)?;
        let params = after.map(|key| key.0.as_slice()).unwrap_or_default();
        let mut rows = statement.query(params_from_iter(params)).map_err(unusable)?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().map_err(unusable)? {
            let mut cells = Vec::with_capacity(table.columns.len());
            for (i, (name, kind)) in table.columns.iter().enumerate() {
                let value = row.get_ref(i).map_err(unusable)?;
                let odd = || {
                    let what = format!("{}.{name} holds something else than it should", table.name);
                    OpenError::Corrupt(self.path.clone(), what)
                };
                cells.push(cell(value, *kind).ok_or_else(odd)?);
            }
            page.push(Row(cells));
        }
        Ok(page)
    }

    pub(crate) fn found(&mut self) -> Result<Option<(Vec<u8>, Progress)>, OpenError> {
        if !has_mark(&self.connection, &self.path)? {
            return Ok(None);
        }
        let unusable = |e: rusqlite::Error| named(&self.path, &e);
        let sql = format!("SELECT what, rows, last FROM {MARK}");
        let mut statement = self.connection.prepare(&sql).map_err(unusable)?;
        let notes = statement
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?)))
            .and_then(Iterator::collect::<Result<Vec<(String, _, _)>, _>>)
            .map_err(unusable)?;
        Ok(Some(Progress::of(notes)))
    }

    pub(crate) fn begin(&mut self, identity: &[u8]) -> Result<(), OpenError> {
        self.at_once(|tx| {
            tx.execute_batch(&format!(
                "CREATE TABLE {MARK} (what TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL, last BLOB NOT NULL) STRICT"
            ))?;
            note(tx, IDENTITY, 0, identity)
        })
    }

    pub(crate) fn empty(&mut self, identity: &[u8]) -> Result<(), OpenError> {
        self.at_once(|tx| {
            for table in TABLES.iter().rev() {
                tx.execute(&format!("DELETE FROM {}", table.name), [])?;
            }
            tx.execute(&format!("DELETE FROM {MARK}"), [])?;
            note(tx, IDENTITY, 0, identity)
        })
    }

    pub(crate) fn put(&mut self, table: &Table, rows: &[Row], reached: &Reached) -> Result<(), OpenError> {
        let params: Vec<String> = (1..=table.columns.len()).map(|n| format!("?{n}")).collect();
        let sql =
            format!("INSERT INTO {} ({}) VALUES ({})", table.name, table.column_names(), params.join(", "));
        self.at_once(|tx| {
            let mut insert = tx.prepare_cached(&sql)?;
            for row in rows {
                insert.execute(params_from_iter(&row.0))?;
            }
            note(tx, table.name, reached.rows, &reached.last.to_bytes())
        })
    }

    pub(crate) fn finish(&mut self) -> Result<(), OpenError> {
        self.at_once(|tx| tx.execute_batch(&format!("DROP TABLE {MARK}")))?;
        self.folder.sync()
    }

    fn at_once(&mut self, run: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), OpenError> {
        let done = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|tx| {
            run(&tx)?;
            tx.commit()
        });
        done.map_err(|e| named(&self.path, &e))
    }
}

/// Notes how far the copy has come, in the same transaction.
fn note(tx: &Connection, what: &str, rows: u64, last: &[u8]) -> rusqlite::Result<()> {
    let sql = format!("INSERT OR REPLACE INTO {MARK} (what, rows, last) VALUES (?1, ?2, ?3)");
    tx.prepare_cached(&sql)?.execute((what, rows.cast_signed(), last)).map(drop)
}
