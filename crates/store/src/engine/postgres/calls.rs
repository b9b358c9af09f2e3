//! Running what several steps ask for in one go: once for all who ask for the same where the statement allows it, and
//! everything down the wire before the first answer is awaited.

use super::{
    broken::Broken,
    connection::Connection,
    desk::{Ask, PgRow, Reply, Value},
    texts::Form,
};
use crate::Failure;
use futures_util::future::try_join_all;
use std::{future::Future, pin::Pin};
use tokio_postgres::{
    Client, Row, Statement as Prepared,
    types::{ToSql, Type},
};

/// One column of parameters for many.
enum Column<'a> {
    Int(Vec<Option<i64>>),
    Bytes(Vec<Option<&'a [u8]>>),
    Text(Vec<Option<&'a str>>),
}

impl<'a> Column<'a> {
    fn of(asks: &[&'a Ask], i: usize) -> Option<Self> {
        let values = || asks.iter().map(move |ask| ask.params.get(i));
        Some(match values().next()?? {
            Value::Int(_) => {
                Self::Int(values().map(|v| if let Some(Value::Int(n)) = v { *n } else { None }).collect())
            }
            Value::Bytes(_) => Self::Bytes(
                values().map(|v| if let Some(Value::Bytes(b)) = v { b.as_deref() } else { None }).collect(),
            ),
            Value::Text(_) => Self::Text(
                values().map(|v| if let Some(Value::Text(t)) = v { t.as_deref() } else { None }).collect(),
            ),
        })
    }

    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Int(column) => column,
            Self::Bytes(column) => column,
            Self::Text(column) => column,
        }
    }
}

enum Params<'a> {
    One(&'a Ask),
    Many(Vec<Column<'a>>),
}

/// A statement ready to be sent, and whose it is.
struct Call<'a> {
    prepared: Prepared,
    params: Params<'a>,
    /// Places in the list of those who ask.
    who: Vec<usize>,
    asks: Vec<&'a Ask>,
}

enum Outcome {
    Rows(Vec<Row>),
    Count(u64),
}

impl Call<'_> {
    async fn send(&self, client: &Client) -> Result<Outcome, tokio_postgres::Error> {
        let (params, rows): (Vec<&(dyn ToSql + Sync)>, bool) = match &self.params {
            Params::One(ask) => (ask.params.iter().map(|v| v as _).collect(), ask.rows),
            Params::Many(columns) => {
                (columns.iter().map(Column::as_sql).collect(), !self.prepared.columns().is_empty())
            }
        };
        if rows {
            client.query(&self.prepared, &params).await.map(Outcome::Rows)
        } else {
            client.execute(&self.prepared, &params).await.map(Outcome::Count)
        }
    }

    fn name(&self) -> &'static str {
        self.asks.first().map_or("nothing", |ask| ask.statement.name)
    }

    /// Gives everybody their own.
    fn share(&self, outcome: Outcome, replies: &mut [Option<Reply>]) -> Result<(), Broken> {
        let odd = |what| Broken::Failed(Failure::internal(format!("{}: {what}", self.name())));
        let mut give = |place: usize, reply| {
            if let Some(to) = replies.get_mut(place) {
                *to = Some(reply);
            }
        };
        match (outcome, &self.params) {
            (Outcome::Count(n), Params::Many(_)) => {
                // An INSERT does not say whose rows were taken: all, or they run again one by one.
                if n != self.who.len() as u64 {
                    return Err(odd("not every row was taken"));
                }
                self.who.iter().for_each(|place| give(*place, Reply::Count(1)));
            }
            (Outcome::Count(n), Params::One(_)) => {
                self.who.iter().for_each(|place| give(*place, Reply::Count(n)));
            }
            (Outcome::Rows(rows), Params::One(_)) => {
                let mut rows = Some(rows.into_iter().map(|row| PgRow { row, skip: 0 }).collect());
                self.who.iter().for_each(|place| give(*place, Reply::Rows(rows.take().unwrap_or_default())));
            }
            (Outcome::Rows(rows), Params::Many(_)) => {
                let mut each: Vec<Vec<PgRow>> = self.who.iter().map(|_| Vec::new()).collect();
                for row in rows {
                    let n: i64 = row.try_get(0).map_err(|_| odd("a row without its place"))?;
                    let place = usize::try_from(n - 1).ok().and_then(|n| each.get_mut(n));
                    place.ok_or_else(|| odd("a row of nobody"))?.push(PgRow { row, skip: 1 });
                }
                for ((place, ask), rows) in self.who.iter().zip(&self.asks).zip(each) {
                    give(*place, if ask.rows { Reply::Rows(rows) } else { Reply::Count(rows.len() as u64) });
                }
            }
        }
        Ok(())
    }
}

/// What is sent in one go.
pub(super) struct Go<'a> {
    /// Sent first, if this is the first go of a transaction.
    pub(super) begin: Option<&'static str>,
    /// Names to lock, before anything is read.
    pub(super) names: Vec<i64>,
    /// Whether statements lock the rows they read.
    pub(super) locking: bool,
    /// The statements.
    pub(super) asks: Vec<&'a Ask>,
}

const LOCK_NAMES: &str = "SELECT pg_advisory_xact_lock(name) FROM unnest($1::int8[]) AS t (name)";

type Sent<'f> = Pin<Box<dyn Future<Output = Result<Option<(usize, Outcome)>, Broken>> + Send + 'f>>;

/// Runs it. The replies stand in the order of those who asked.
pub(super) async fn run(connection: &mut Connection, go: Go<'_>) -> Result<Vec<Reply>, Broken> {
    let mut calls = Vec::new();
    for (asks, who) in together(&go.asks) {
        let form = match &asks[..] {
            [_] if go.locking => Form::Locking,
            [_] => Form::Plain,
            _ => Form::ForMany,
        };
        let Some(first) = asks.first() else { continue };
        let prepared = connection.prepared(first.statement, form, &first.params).await?;
        let params = match form {
            Form::ForMany => {
                Params::Many((0..first.params.len()).filter_map(|i| Column::of(&asks, i)).collect())
            }
            Form::Plain | Form::Locking => Params::One(first),
        };
        calls.push(Call { prepared, params, who, asks });
    }
    let lock_names = match go.names.is_empty() {
        true => None,
        false => Some(connection.prepared_text(LOCK_NAMES, &[Type::INT8_ARRAY]).await?),
    };

    let client = connection.client();
    let plain = |text: &'static str| async move {
        client.batch_execute(text).await.map_err(|e| Broken::by_statement(text, &e))?;
        Ok(None)
    };
    let mut sent: Vec<Sent<'_>> = Vec::with_capacity(calls.len() + 2);
    sent.extend(go.begin.map(|text| Box::pin(plain(text)) as Sent<'_>));
    if let Some(prepared) = &lock_names {
        let names = &go.names;
        sent.push(Box::pin(async move {
            let locked = client.query(prepared, &[names]).await;
            locked.map(|_| None).map_err(|e| Broken::by_statement("a lock", &e))
        }));
    }
    for (i, call) in calls.iter().enumerate() {
        sent.push(Box::pin(async move {
            let outcome = call.send(client).await;
            outcome.map(|o| Some((i, o))).map_err(|e| Broken::by_statement(call.name(), &e))
        }));
    }
    let outcomes = try_join_all(sent).await?;

    let mut replies: Vec<Option<Reply>> = go.asks.iter().map(|_| None).collect();
    for (i, outcome) in outcomes.into_iter().flatten() {
        if let Some(call) = calls.get(i) {
            call.share(outcome, &mut replies)?;
        }
    }
    let all = replies.into_iter().map(|r| r.unwrap_or(Reply::Count(0))).collect();
    Ok(all)
}

/// Those who may be served by one statement, in the order of their first.
fn together<'a>(asks: &[&'a Ask]) -> Vec<(Vec<&'a Ask>, Vec<usize>)> {
    let mut groups: Vec<(Vec<&'a Ask>, Vec<usize>)> = Vec::new();
    for (place, ask) in asks.iter().enumerate() {
        let same = groups.iter_mut().find(|(of, _)| {
            ask.statement.sharing.for_many
                && of.first().is_some_and(|first| std::ptr::eq(first.statement, ask.statement))
        });
        match same {
            Some((of, who)) => {
                of.push(ask);
                who.push(place);
            }
            None => groups.push((vec![ask], vec![place])),
        }
    }
    groups
}
