//! A transaction on a connection, for steps and queries. It does the work at once and returns ready futures.

use crate::{
    Failure,
    columns::{Columns, FromRow, Param},
    statement::Statement,
    step::{Reads, Tx},
};
use domain::event::Event;
use rusqlite::{CachedStatement, Connection, Row, ToSql, types::ToSqlOutput, types::ValueRef};
use std::{
    future::{Future, ready},
    pin::pin,
    task::{Context, Poll, Waker},
};

/// Runs a future that never waits. If it does, it awaited something other than its transaction: a fault in our code.
pub(super) fn at_once<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(out) => out,
        Poll::Pending => Err(Failure::internal("a step awaited something other than its transaction")),
    }
}

/// Statements on a connection. Held exclusively, because a connection may move between threads but not be shared.
pub(super) struct LiteTx<'c> {
    connection: &'c mut Connection,
    /// What the step has put into the trail; the engine writes it with the batch.
    pub(super) recorded: Vec<Event>,
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Int(n) | Self::MaybeInt(Some(n)) => ValueRef::Integer(n),
            Self::Bytes(b) | Self::MaybeBytes(Some(b)) => ValueRef::Blob(b),
            Self::Text(t) | Self::MaybeText(Some(t)) => ValueRef::Text(t.as_bytes()),
            Self::MaybeInt(None) | Self::MaybeBytes(None) | Self::MaybeText(None) => ValueRef::Null,
        }))
    }
}

/// SQLite's errors as ours. What time may cure is `Busy`; the writer looks at the code again when a commit fails.
pub(super) fn failure(statement: &str, e: &rusqlite::Error) -> Failure {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure};
    match e.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked | DiskFull | ReadOnly | SystemIoFailure) => {
            Failure::Busy(format!("{statement}: {e}"))
        }
        _ => Failure::Internal(format!("{statement}: {e}")),
    }
}

impl<'c> LiteTx<'c> {
    pub(super) fn new(connection: &'c mut Connection) -> Self {
        Self { connection, recorded: Vec::new() }
    }

    fn bound(
        &self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> rusqlite::Result<CachedStatement<'_>> {
        let mut prepared = self.connection.prepare_cached(statement.numbered())?;
        for (i, param) in params.iter().enumerate() {
            prepared.raw_bind_parameter(i + 1, param)?;
        }
        Ok(prepared)
    }

    pub(super) fn exec_now(
        &self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> Result<u64, Failure> {
        self.bound(statement, params)
            .and_then(|mut s| s.raw_execute())
            .map(|n| n as u64)
            .map_err(|e| failure(statement.name, &e))
    }

    fn rows_now<T: FromRow>(
        &self,
        statement: &'static Statement,
        params: &[Param<'_>],
        max: usize,
    ) -> Result<Vec<T>, Failure> {
        let mut prepared = self.bound(statement, params).map_err(|e| failure(statement.name, &e))?;
        let mut rows = prepared.raw_query();
        let mut out = Vec::new();
        while out.len() < max
            && let Some(row) = rows.next().map_err(|e| failure(statement.name, &e))?
        {
            out.push(T::from_row(&LiteRow(row))?);
        }
        Ok(out)
    }
}

impl Reads for LiteTx<'_> {
    fn one<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Option<R>, Failure>> + Send {
        ready(self.rows_now(statement, params, 1).map(|rows| rows.into_iter().next()))
    }

    fn many<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Vec<R>, Failure>> + Send {
        ready(self.rows_now(statement, params, usize::MAX))
    }
}

impl Tx for LiteTx<'_> {
    fn exec(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send {
        ready(self.exec_now(statement, params))
    }

    fn record(&mut self, event: Event) {
        self.recorded.push(event);
    }
}

struct LiteRow<'r, 's>(&'r Row<'s>);

impl LiteRow<'_, '_> {
    fn wrong_type<T>(i: usize) -> Result<T, Failure> {
        Err(Failure::internal(format!("column {i} has another type")))
    }
    fn value(&self, i: usize) -> Result<ValueRef<'_>, Failure> {
        self.0.get_ref(i).map_err(|e| Failure::internal(format!("column {i}: {e}")))
    }
}

impl Columns for LiteRow<'_, '_> {
    fn int(&self, i: usize) -> Result<Option<i64>, Failure> {
        match self.value(i)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(n) => Ok(Some(n)),
            _ => Self::wrong_type(i),
        }
    }
    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, Failure> {
        match self.value(i)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(b) => Ok(Some(b)),
            _ => Self::wrong_type(i),
        }
    }
    fn text(&self, i: usize) -> Result<Option<&str>, Failure> {
        match self.value(i)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(t) => std::str::from_utf8(t)
                .map(Some)
                .map_err(|_| Failure::internal(format!("column {i} is not UTF-8"))),
            _ => Self::wrong_type(i),
        }
    }
}
