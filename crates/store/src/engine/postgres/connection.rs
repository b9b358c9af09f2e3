//! A connection, what is set on it, and the statements prepared on it.

use super::{
    broken::Broken,
    desk::Value,
    open_error::reason,
    options::Options,
    texts::{Form, text},
    wire::{Heard, drive},
};
use crate::{engine::schema::newest, statement::Statement};
use std::{collections::HashMap, sync::Arc};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, SimpleQueryMessage, Statement as Prepared, types::Type};

/// What is set on every connection.
///
/// Plans depend on the statement alone and go by an index if there is one, so that a table that has grown, or has never
/// been analysed, is not read from end to end. Whatever waits for a lock, or has been left in a transaction, ends by
/// itself. A commit is not confirmed before it is durable, whatever the server's default; one that is stricter stays.
const SET_UP: &str =
    "SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off;
    SET lock_timeout = '4s'; SET statement_timeout = '20s'; SET idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local');";

/// The lock that a copy of the database holds alone and nodes share, as long as they are connected: so neither begins beside
/// the other. Its name is two numbers, the second for the schema, of which there may be several in a database.
const NODES: i64 = 1_129_539_438;

/// A lock's name, as arguments. The n-th one after [`NODES`] is shared by the nodes whose newest migration is n, and held
/// alone by a migration beside which they could not go on.
fn lock(n: i64) -> String {
    format!("({}, hashtext(coalesce(current_schema(), '')))", NODES.saturating_add(n))
}

/// Reads what a node has to know, in a statement of its own: of after the lock.
const WORKS_WITH: &str = "SELECT coalesce(max(works_with), 0) FROM migration";

/// One connection. It is used by one transaction at a time.
pub(super) struct Connection {
    client: Client,
    prepared: HashMap<(&'static str, Form), Prepared>,
    texts: HashMap<&'static str, Prepared>,
    heard: Arc<Heard>,
    wire: AbortHandle,
}

/// Why a COMMIT that was sent may not be told of.
#[derive(Debug)]
pub(super) enum Unconfirmed {
    /// It was answered with an error, or not at all.
    Error(tokio_postgres::Error),
    /// It was confirmed with a warning: so does a server that was made to stop waiting for its standby (01000), or had no
    /// transaction to commit (25P01). That is not what was asked for.
    Warning(String),
}

impl Connection {
    /// Connects. What travels on the connection is a task of its own on the current runtime.
    ///
    /// # Errors
    /// Why not, in a line without a password.
    pub(super) async fn open(options: &Options) -> Result<Self, String> {
        // The driver's own limit is on reaching a host, not on what the host says then.
        let limit = options.connect_limit();
        match tokio::time::timeout(limit, Self::open_unbounded(options)).await {
            Ok(opened) => opened.map_err(|e| reason(&e)),
            Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
        }
    }

    /// Connects as a node, unless the database is being copied, or is migrated beyond what this version can work with: it
    /// may have been since the node's last connection.
    ///
    /// # Errors
    /// Why not, in a line without a password.
    pub(super) async fn open_as_node(options: &Options) -> Result<Self, String> {
        let connection = Self::open(options).await?;
        let known = newest(options.migrations);
        let shared = |n| format!("pg_try_advisory_lock_shared{}", lock(n));
        let sql = format!("SELECT {} AND {}; {WORKS_WITH}", shared(0), shared(known));
        let told = connection.client.simple_query(&sql).await.map_err(|e| reason(&e))?;
        let told: Vec<_> = told.iter().filter_map(first_cell).collect();
        match told.as_slice() {
            ["t", needed] if needed.parse().is_ok_and(|needed: i64| needed <= known) => Ok(connection),
            ["t", needed] => Err(format!(
                "a newer version has migrated the database, and works beside none of before migration {needed}; run that \
                 version"
            )),
            _ => Err("the database is being copied or migrated".into()),
        }
    }

    /// Keeps nodes from connecting while this connection lives. Answers `false` if one is connected.
    pub(super) async fn keep_nodes_out(&self) -> Result<bool, tokio_postgres::Error> {
        self.is_true(&format!("SELECT pg_try_advisory_lock{}", lock(0))).await
    }

    /// Keeps nodes from connecting whose newest migration is one of these, until the end of the transaction. Answers `false`
    /// if one is connected.
    pub(super) async fn keep_older_nodes_out(
        &self,
        newest: std::ops::Range<i64>,
    ) -> Result<bool, tokio_postgres::Error> {
        for n in newest {
            if !self.is_true(&format!("SELECT pg_try_advisory_xact_lock{}", lock(n))).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_true(&self, sql: &str) -> Result<bool, tokio_postgres::Error> {
        Ok(self.client.simple_query(sql).await?.iter().any(|m| first_cell(m) == Some("t")))
    }

    async fn open_unbounded(options: &Options) -> Result<Self, tokio_postgres::Error> {
        let (client, wire) = options.config.connect(options.tls.clone()).await?;
        let heard = Arc::<Heard>::default();
        let wire = tokio::spawn(drive(wire, Arc::clone(&heard))).abort_handle();
        let connection = Self { client, prepared: HashMap::new(), texts: HashMap::new(), heard, wire };
        connection.client.batch_execute(SET_UP).await?;
        Ok(connection)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Milliseconds since 1970 on the server's clock, in one round trip.
    pub(super) async fn server_time(&self) -> Result<Option<i64>, tokio_postgres::Error> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let told = self.client.simple_query(sql).await?;
        Ok(told.iter().find_map(|m| first_cell(m)?.parse().ok()))
    }

    /// Commits. Only what is confirmed without a warning is as durable as the server was told to make it.
    pub(super) async fn commit(&self) -> Result<(), Unconfirmed> {
        self.heard.take_warning();
        self.client.batch_execute("COMMIT").await.map_err(Unconfirmed::Error)?;
        self.heard.take_warning().map_or(Ok(()), |warning| Err(Unconfirmed::Warning(warning)))
    }

    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// A form of a statement, prepared at its first use. The parameters say of which types they are.
    pub(super) async fn prepared(
        &mut self,
        statement: &'static Statement,
        form: Form,
        params: &[Value],
    ) -> Result<Prepared, Broken> {
        if let Some(there) = self.prepared.get(&(statement.name, form)) {
            return Ok(there.clone());
        }
        let (text, types) = text(statement, form, params);
        let prepared = self.client.prepare_typed(&text, &types).await;
        let prepared = prepared.map_err(|e| Broken::by_statement(statement.name, &e))?;
        self.prepared.insert((statement.name, form), prepared.clone());
        Ok(prepared)
    }

    /// Another statement, likewise.
    pub(super) async fn prepared_text(
        &mut self,
        text: &'static str,
        types: &[Type],
    ) -> Result<Prepared, Broken> {
        if let Some(there) = self.texts.get(text) {
            return Ok(there.clone());
        }
        let prepared = self.client.prepare_typed(text, types).await;
        let prepared = prepared.map_err(|e| Broken::by_statement(text, &e))?;
        self.texts.insert(text, prepared.clone());
        Ok(prepared)
    }
}

fn first_cell(told: &SimpleQueryMessage) -> Option<&str> {
    match told {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    }
}

impl Drop for Connection {
    /// Without a word to the server: the driver would first wait for what is on the way, with a silent one for ever.
    fn drop(&mut self) {
        self.wire.abort();
    }
}
