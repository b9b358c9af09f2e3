//! Where a step hands in its statements. It waits there; whoever runs the transaction takes them up, for one step or for
//! many at once.

use crate::{
    Failure,
    columns::{Columns, FromRow, Param},
    engine::fnv::Fnv,
    statement::Statement,
    step::{Reads, Tx},
};
use domain::event::Event;
use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};
use tokio_postgres::{
    Row,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

/// A parameter that outlives its step's stack.
#[derive(Clone)]
pub(super) enum Value {
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
}

impl Value {
    fn of(param: &Param<'_>) -> Self {
        match *param {
            Param::Int(n) => Self::Int(Some(n)),
            Param::MaybeInt(n) => Self::Int(n),
            Param::Bytes(b) => Self::Bytes(Some(b.to_vec())),
            Param::MaybeBytes(b) => Self::Bytes(b.map(<[u8]>::to_vec)),
            Param::Text(t) => Self::Text(Some(t.to_owned())),
            Param::MaybeText(t) => Self::Text(t.map(str::to_owned)),
        }
    }

    /// Adds itself, and where it ends, to a sum.
    pub(super) fn feed(&self, sum: &mut Fnv) {
        let (kind, bytes) = match self {
            Self::Int(n) => (0, n.map(|n| n.to_be_bytes().to_vec())),
            Self::Bytes(b) => (1, b.clone()),
            Self::Text(t) => (2, t.clone().map(String::into_bytes)),
        };
        let length = bytes.as_ref().map_or(u64::MAX, |b| b.len() as u64);
        sum.feed(&[kind]);
        sum.feed(&length.to_be_bytes());
        sum.feed(&bytes.unwrap_or_default());
    }

    /// Its type, and that of an array of them.
    pub(super) fn types(&self) -> (Type, Type) {
        match self {
            Self::Int(_) => (Type::INT8, Type::INT8_ARRAY),
            Self::Bytes(_) => (Type::BYTEA, Type::BYTEA_ARRAY),
            Self::Text(_) => (Type::TEXT, Type::TEXT_ARRAY),
        }
    }
}

/// The driver asks for it. What is in a value is nobody's business.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Int(n) => n.to_sql(ty, out),
            Self::Bytes(b) => b.to_sql(ty, out),
            Self::Text(t) => t.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::BYTEA | Type::TEXT)
    }

    to_sql_checked!();
}

/// A statement that waits to be run.
pub(super) struct Ask {
    pub(super) statement: &'static Statement,
    pub(super) params: Vec<Value>,
    /// Whether the rows are wanted, or how many were changed.
    pub(super) rows: bool,
}

impl Ask {
    pub(super) fn new(statement: &'static Statement, params: &[Param<'_>], rows: bool) -> Self {
        Self { statement, params: params.iter().map(Value::of).collect(), rows }
    }
}

/// What came of it.
pub(super) enum Reply {
    Rows(Vec<PgRow>),
    Count(u64),
}

/// A row of which the first `skip` columns are not the statement's own.
pub(super) struct PgRow {
    pub(super) row: Row,
    pub(super) skip: usize,
}

impl PgRow {
    fn get<'a, T: tokio_postgres::types::FromSql<'a>>(&'a self, i: usize) -> Result<T, Failure> {
        self.row.try_get(self.skip + i).map_err(|_| Failure::internal(format!("column {i} has another type")))
    }
}

impl Columns for PgRow {
    fn int(&self, i: usize) -> Result<Option<i64>, Failure> {
        self.get(i)
    }
    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, Failure> {
        self.get(i)
    }
    fn text(&self, i: usize) -> Result<Option<&str>, Failure> {
        self.get(i)
    }
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Asked(Ask),
    Taken,
    Replied(Reply),
}

/// The place between a step and whoever runs its statements.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<State>>);

impl Slot {
    fn swap(&self, next: State) -> State {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next)
    }

    /// What the step asks for, once.
    pub(super) fn take(&self) -> Option<Ask> {
        match self.swap(State::Taken) {
            State::Asked(ask) => Some(ask),
            _ => None,
        }
    }

    pub(super) fn reply(&self, reply: Reply) {
        self.swap(State::Replied(reply));
    }

    fn ask(&self, ask: Ask) -> impl Future<Output = Reply> + Send + use<> {
        let (slot, mut ask) = (self.clone(), Some(ask));
        poll_fn(move |_| {
            if let Some(ask) = ask.take() {
                slot.swap(State::Asked(ask));
                return Poll::Pending;
            }
            match slot.swap(State::Idle) {
                State::Replied(reply) => Poll::Ready(reply),
                other => {
                    slot.swap(other);
                    Poll::Pending
                }
            }
        })
    }
}

/// A step's side of it.
pub(super) struct Desk {
    slot: Slot,
    /// What the step has put into the trail.
    pub(super) recorded: Vec<Event>,
}

impl Desk {
    pub(super) fn new(slot: Slot) -> Self {
        Self { slot, recorded: Vec::new() }
    }

    fn rows<R: FromRow>(
        &self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Vec<R>, Failure>> + Send + use<R> {
        let reply = self.slot.ask(Ask::new(statement, params, true));
        async move {
            match reply.await {
                Reply::Rows(rows) => rows.iter().map(R::from_row).collect(),
                Reply::Count(_) => Err(Failure::internal("a count came where rows were asked for")),
            }
        }
    }
}

impl Reads for Desk {
    fn one<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Option<R>, Failure>> + Send {
        let rows = self.rows(statement, params);
        async move { Ok(rows.await?.into_iter().next()) }
    }

    fn many<R: FromRow + Send>(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Vec<R>, Failure>> + Send {
        self.rows(statement, params)
    }
}

impl Tx for Desk {
    fn exec(
        &mut self,
        statement: &'static Statement,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send {
        let reply = self.slot.ask(Ask::new(statement, params, false));
        async move {
            match reply.await {
                Reply::Count(n) => Ok(n),
                Reply::Rows(_) => Err(Failure::internal("rows came where a count was asked for")),
            }
        }
    }

    fn record(&mut self, event: Event) {
        self.recorded.push(event);
    }
}
