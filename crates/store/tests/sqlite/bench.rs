//! A store in a folder of its own, and a way to the file beside it.

use crate::laws::common::noon;
use crate::store::{
    Store,
    columns::Param,
    sqlite::{DataFolder, OpenError, Sqlite},
    statement::Statement,
};
use rusqlite::{Connection, types::Value};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;

/// Opens the store of a folder, ready for steps that record nothing.
pub(crate) fn open(path: &Path) -> Result<(DataFolder, Sqlite), OpenError> {
    let folder = DataFolder::lock(path)?;
    let engine = Sqlite::open(&folder, noon(), Box::new(|_| {}))?;
    Ok((folder, engine))
}

pub(crate) struct Bench {
    dir: TempDir,
    folder: Option<DataFolder>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), folder: None }
    }

    /// Opens the store, which is closed.
    pub(crate) async fn open(&mut self) -> Store {
        drop(self.folder.take());
        let (folder, engine) = open(self.dir.path()).unwrap();
        self.folder = Some(folder);
        Store::Sqlite(engine)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("countersign.db")
    }

    /// A connection beside the store's: what somebody with the file can do.
    pub(crate) fn direct(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }

    pub(crate) async fn edit(&self, sql: &str, params: &[Param<'_>]) -> u64 {
        let params = params.iter().map(|param| match *param {
            Param::Int(n) => n.into(),
            Param::MaybeInt(n) => n.into(),
            Param::Bytes(b) => Value::Blob(b.to_vec()),
            Param::MaybeBytes(b) => b.map(<[u8]>::to_vec).into(),
            Param::Text(t) => Value::Text(t.to_owned()),
            Param::MaybeText(t) => t.map(str::to_owned).into(),
        });
        let sql = sql.replace('$', "?");
        self.direct().execute(&sql, rusqlite::params_from_iter(params)).unwrap() as u64
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.direct().query_row(sql, [], |r| r.get(0)).unwrap()
    }

    pub(crate) async fn bytes(&self, sql: &str) -> Vec<Vec<u8>> {
        let direct = self.direct();
        let mut rows = direct.prepare(sql).unwrap();
        rows.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// How many parameters a statement has, prepared.
    pub(crate) async fn parameters(&self, statement: &'static Statement) -> usize {
        let direct = self.direct();
        let prepared = direct.prepare(&statement.sql.replace('$', "?"));
        prepared.unwrap_or_else(|e| panic!("{}: {e}", statement.name)).parameter_count()
    }

    /// All there is, as whoever steals it would find it. What is only in the log moves into the database after that.
    pub(crate) async fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(self.dir.path()).unwrap().map(|file| file.unwrap().path());
        let all = files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
        self.direct().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        all
    }
}
