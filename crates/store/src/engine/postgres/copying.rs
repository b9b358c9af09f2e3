//! A PostgreSQL database as one end of a copy.

use super::{
    connection::Connection,
    migrate::{self, Copies},
    open_error::{OpenError, reason},
    options::Options,
};
use crate::copy::{
    Kind, TABLES, Table,
    place::{IDENTITY, MARK, Progress, Reached},
    row::{Cell, Row},
};
use domain::time::Timestamp;
use std::time::Duration;
use tokio_postgres::{
    Client,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

/// A large table takes its time, and between two bites the other end has its turn.
const UNHURRIED: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
/// Numbers go on after those that were copied, where the server gives them.
const NUMBER_ON: &str = "SELECT setval(pg_get_serial_sequence('remembered_answer', 'seq'),
    (SELECT coalesce(max(seq), 0) + 1 FROM remembered_answer), false)";

/// How often it is tried to keep nodes out: the server may still be busy with a connection that has just been cut.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// A database that no node has open, nor gets open while this lives.
pub(crate) struct Copying {
    connection: Connection,
    name: String,
}

/// What can be read from or written to a column.
impl ToSql for Cell {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(n) => n.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::BYTEA | Type::TEXT)
    }

    to_sql_checked!();
}

/// The driver asks for it. What is in a cell is nobody's business.
impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cell")
    }
}

fn array(kind: Kind) -> (Type, &'static str) {
    match kind {
        Kind::Int => (Type::INT8_ARRAY, "bigint[]"),
        Kind::Bytes => (Type::BYTEA_ARRAY, "bytea[]"),
        Kind::Text => (Type::TEXT_ARRAY, "text[]"),
    }
}

fn cell(row: &tokio_postgres::Row, i: usize, kind: Kind) -> Result<Cell, tokio_postgres::Error> {
    Ok(match kind {
        Kind::Int => row.try_get::<_, Option<i64>>(i)?.map_or(Cell::Null, Cell::Int),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(i)?.map_or(Cell::Null, Cell::Bytes),
        Kind::Text => row.try_get::<_, Option<String>>(i)?.map_or(Cell::Null, Cell::Text),
    })
}

impl Copying {
    /// Connects to a database to read one snapshot of it. `None` if no store was ever made in it.
    ///
    /// # Errors
    /// When nodes are connected to it, it is of another version, or itself a copy that did not end.
    pub(crate) async fn source(options: Options) -> Result<Option<Self>, OpenError> {
        let known = options.migrations;
        let place = Self::open(options).await?;
        let (client, name) = (place.connection.client(), place.name.as_str());
        place.at_once("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let tables = migrate::tables(client, name).await?;
        let has = |table: &str| tables.iter().any(|t| t == table);
        if !has("migration") {
            return Ok(None);
        }
        if has(MARK) {
            return Err(OpenError::HalfCopied(place.name));
        }
        migrate::is_of_this_version(client, known, name).await?;
        Ok(Some(place))
    }

    /// Connects to a database to write it, making its tables or migrating them if necessary.
    ///
    /// # Errors
    /// As when a node opens it, or when one has it open.
    pub(crate) async fn target(options: Options, now: Timestamp) -> Result<Self, OpenError> {
        let known = options.migrations;
        let place = Self::open(options).await?;
        migrate::bring(&place.connection, known, &place.name, now, Copies::GoOn).await?;
        migrate::is_of_this_version(place.client(), known, &place.name).await?;
        Ok(place)
    }

    async fn open(options: Options) -> Result<Self, OpenError> {
        let name = options.name();
        let connection = Connection::open(&options).await;
        let connection = connection.map_err(|e| OpenError::Unreachable(name.clone(), e))?;
        let place = Self { connection, name };
        migrate::check_server(place.connection.client(), &place.name).await?;
        place.at_once(UNHURRIED).await?;
        for _ in 0..TRIES {
            if place.connection.keep_nodes_out().await.map_err(|e| place.unusable(e))? {
                return Ok(place);
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(OpenError::InUse(place.name))
    }

    fn unusable(&self, e: tokio_postgres::Error) -> OpenError {
        OpenError::Unusable(self.name.clone(), reason(&e))
    }

    fn client(&self) -> &Client {
        self.connection.client()
    }

    async fn at_once(&self, text: &str) -> Result<(), OpenError> {
        self.client().batch_execute(text).await.map_err(|e| self.unusable(e))
    }

    async fn commit(&self) -> Result<(), OpenError> {
        self.connection.commit().await.map_err(|e| migrate::unconfirmed(&self.name, e))
    }

    pub(crate) async fn count(&mut self, table: &Table) -> Result<u64, OpenError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let row = self.client().query_one(&sql, &[]).await.map_err(|e| self.unusable(e))?;
        let count: i64 = row.try_get(0).map_err(|e| self.unusable(e))?;
        Ok(count.unsigned_abs())
    }

    pub(crate) async fn page(
        &mut self,
        table: &Table,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, OpenError> {
        let sql = table.page(after.is_some(), '$', limit);
        let params: Vec<&(dyn ToSql + Sync)> =
            after.iter().flat_map(|key| key.0.iter().map(|cell| cell as _)).collect();
        let rows = self.client().query(&sql, &params).await.map_err(|e| self.unusable(e))?;
        let read = |row: &tokio_postgres::Row| {
            let cells = table.columns.iter().enumerate().map(|(i, (_, kind))| cell(row, i, *kind));
            cells.collect::<Result<_, _>>().map(Row)
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|e| self.unusable(e))
    }

    pub(crate) async fn found(&mut self) -> Result<Option<(Vec<u8>, Progress)>, OpenError> {
        if !migrate::tables(self.client(), &self.name).await?.iter().any(|t| t == MARK) {
            return Ok(None);
        }
        let sql = format!("SELECT what, rows, last FROM {MARK}");
        let rows = self.client().query(&sql, &[]).await.map_err(|e| self.unusable(e))?;
        let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let notes = rows.iter().map(read).collect::<Result<_, _>>().map_err(|e| self.unusable(e))?;
        Ok(Some(Progress::of(notes)))
    }

    pub(crate) async fn begin(&mut self, identity: &[u8]) -> Result<(), OpenError> {
        self.at_once(&format!(
            "BEGIN; CREATE TABLE {MARK} (what TEXT NOT NULL PRIMARY KEY, rows BIGINT NOT NULL, last BYTEA NOT NULL)"
        ))
        .await?;
        self.note(IDENTITY, 0, identity).await?;
        self.commit().await
    }

    pub(crate) async fn empty(&mut self, identity: &[u8]) -> Result<(), OpenError> {
        let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        self.at_once(&format!("BEGIN; TRUNCATE {}; DELETE FROM {MARK}", tables.join(", "))).await?;
        self.note(IDENTITY, 0, identity).await?;
        self.commit().await
    }

    pub(crate) async fn put(
        &mut self,
        table: &Table,
        rows: &[Row],
        reached: &Reached,
    ) -> Result<(), OpenError> {
        let kinds = || table.columns.iter().enumerate().map(|(i, (_, kind))| (i, array(*kind)));
        let arrays: Vec<String> = kinds().map(|(i, (_, name))| format!("${}::{name}", i + 1)).collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            table.name,
            table.column_names(),
            arrays.join(", ")
        );
        let types: Vec<Type> = kinds().map(|(_, (ty, _))| ty).collect();
        let columns: Vec<Vec<&Cell>> =
            kinds().map(|(i, _)| rows.iter().filter_map(|row| row.0.get(i)).collect()).collect();
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();

        self.at_once("BEGIN").await?;
        let insert = self.client().prepare_typed(&sql, &types).await.map_err(|e| self.unusable(e))?;
        self.client().execute(&insert, &params).await.map_err(|e| self.unusable(e))?;
        self.note(table.name, reached.rows, &reached.last.to_bytes()).await?;
        self.commit().await
    }

    pub(crate) async fn finish(&mut self) -> Result<(), OpenError> {
        self.at_once(&format!("BEGIN; {NUMBER_ON}; DROP TABLE {MARK}")).await?;
        self.commit().await
    }

    /// Notes how far the copy has come, in the same transaction.
    async fn note(&self, what: &str, rows: u64, last: &[u8]) -> Result<(), OpenError> {
        let sql = format!(
            "INSERT INTO {MARK} (what, rows, last) VALUES ($1, $2, $3)
            ON CONFLICT (what) DO UPDATE SET rows = excluded.rows, last = excluded.last"
        );
        let noted = self.client().execute(&sql, &[&what, &rows.cast_signed(), &last]).await;
        noted.map(drop).map_err(|e| self.unusable(e))
    }
}
