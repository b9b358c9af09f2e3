//! A connection, what is set on it, and the statements prepared on it.

use super::{
    broken::Broken,
    desk::Value,
    open_error::reason,
    options::Options,
    texts::{Form, text},
};
use crate::statement::Statement;
use std::collections::HashMap;
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

/// The name of the lock that a copy of the database holds alone and nodes share, as long as they are connected: so neither
/// begins beside the other. Two numbers, the second for the schema, of which there may be several in a database.
const NODES: &str = "(1129539438, hashtext(coalesce(current_schema(), '')))";

/// One connection. It is used by one transaction at a time.
pub(super) struct Connection {
    client: Client,
    prepared: HashMap<(&'static str, Form), Prepared>,
    texts: HashMap<&'static str, Prepared>,
    wire: AbortHandle,
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

    /// Connects as a node, unless the database is being copied.
    ///
    /// # Errors
    /// Why not, in a line without a password.
    pub(super) async fn open_as_node(options: &Options) -> Result<Self, String> {
        let connection = Self::open(options).await?;
        match connection.try_lock("pg_try_advisory_lock_shared").await {
            Ok(true) => Ok(connection),
            Ok(false) => Err("the database is being copied".into()),
            Err(e) => Err(reason(&e)),
        }
    }

    /// Keeps nodes from connecting while this connection lives. Answers `false` if one is connected.
    pub(super) async fn keep_nodes_out(&self) -> Result<bool, tokio_postgres::Error> {
        self.try_lock("pg_try_advisory_lock").await
    }

    async fn try_lock(&self, how: &str) -> Result<bool, tokio_postgres::Error> {
        let told = self.client.simple_query(&format!("SELECT {how}{NODES}")).await?;
        Ok(told.iter().any(|m| matches!(m, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))))
    }

    async fn open_unbounded(options: &Options) -> Result<Self, tokio_postgres::Error> {
        let (client, wire) = options.config.connect(options.tls.clone()).await?;
        let wire = tokio::spawn(async move {
            // Whoever uses the connection learns that it is gone.
            if let Err(e) = wire.await {
                tracing::debug!("a connection to PostgreSQL ended: {e}");
            }
        });
        let wire = wire.abort_handle();
        let connection = Self { client, prepared: HashMap::new(), texts: HashMap::new(), wire };
        connection.client.batch_execute(SET_UP).await?;
        Ok(connection)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
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

impl Drop for Connection {
    /// Without a word to the server: the driver would first wait for what is on the way, with a silent one for ever.
    fn drop(&mut self) {
        self.wire.abort();
    }
}
