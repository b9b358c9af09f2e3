//! Migrations: numbered, embedded, never changed once released; by one node at a time, all or none.

use super::{
    connection::{Connection, Unconfirmed},
    open_error::{OpenError, reason},
    options::Options,
};
use crate::{
    copy::place::MARK,
    engine::schema::{Applied, BEYOND_US, Fit, Migration, Misfit, fit, foundation},
};
use domain::time::Timestamp;
use std::time::Duration;
use tokio_postgres::{Client, Row, error::SqlState};

/// The migrations that this version knows. All but their texts are those of the embedded engine's.
pub const MIGRATIONS: &[Migration] =
    &[foundation(include_str!("../../../migrations/postgres/0001_foundation.sql"))];

/// The oldest server, as it says so itself.
const OLDEST: i32 = 150_000;
/// Other nodes that start meanwhile wait for this lock.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;
    SELECT pg_advisory_xact_lock(289348463296514)";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BIGINT NOT NULL, applied_at BIGINT NOT NULL,
    works_with BIGINT NOT NULL
)";
/// Nodes wait 4 s for a lock: what waits before them in the queue gives up earlier, and is tried again at the next start.
const BRIEFLY: &str = "SET LOCAL lock_timeout = '3s'";
/// How often it is tried to keep older nodes out: the server may still be busy with one that has just been stopped.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// What to do with a copy that has not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Copies {
    /// Leave it alone: it is not to be served.
    AreRefused,
    /// Go on with it.
    GoOn,
}

/// Brings a database that is to be served to the newest version.
pub(super) async fn migrate(options: &Options, name: &str, now: Timestamp) -> Result<(), OpenError> {
    let connection = Connection::open(options).await;
    let connection = connection.map_err(|e| OpenError::Unreachable(name.to_owned(), e))?;
    check_server(connection.client(), name).await?;
    let found = bring(&connection, options.migrations, name, now, Copies::AreRefused).await?;
    if found.is_newer {
        tracing::warn!(migration = found.newest, "{BEYOND_US}");
    }
    Ok(())
}

/// Brings the database to the newest version. Answers how it was found.
pub(super) async fn bring(
    connection: &Connection,
    known: &'static [Migration],
    name: &str,
    now: Timestamp,
    copies: Copies,
) -> Result<Fit<'static>, OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let client = connection.client();
    client.batch_execute(BEGIN).await.map_err(unusable)?;
    // Nothing is committed before this is through: whatever goes wrong leaves the database as it was.
    let found = run(connection, known, name, now, copies).await?;
    connection.commit().await.map_err(|e| unconfirmed(name, e))?;
    Ok(found)
}

/// A commit that may not be relied on, in a line.
pub(super) fn unconfirmed(name: &str, e: Unconfirmed) -> OpenError {
    let text = match e {
        Unconfirmed::Error(e) => reason(&e),
        Unconfirmed::Warning(text) => format!("a commit is not confirmed: {text}"),
    };
    OpenError::Unusable(name.to_owned(), text)
}

pub(super) async fn check_server(client: &Client, name: &str) -> Result<(), OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let row = client.query_one(
        "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), current_setting('fsync')",
        &[],
    );
    let row = row.await.map_err(unusable)?;
    let number: i32 = row.try_get(0).map_err(unusable)?;
    if number < OLDEST {
        return Err(OpenError::TooOld(name.to_owned(), row.try_get(1).map_err(unusable)?));
    }
    if row.try_get::<_, String>(2).map_err(unusable)? != "on" {
        tracing::warn!("PostgreSQL runs with fsync = off: a crash of its machine may lose what was answered");
    }
    Ok(())
}

/// The tables and views that are there.
pub(super) async fn tables(client: &Client, name: &str) -> Result<Vec<String>, OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let known = "SELECT c.relname::text FROM pg_class AS c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')";
    let tables = client.query(known, &[]).await.map_err(unusable)?;
    Ok(tables.iter().filter_map(|row| row.try_get(0).ok()).collect())
}

/// How the migrations that were applied fit those that are known.
async fn applied(
    client: &Client,
    known: &'static [Migration],
    name: &str,
) -> Result<Fit<'static>, OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let sql = "SELECT version, checksum, works_with FROM migration ORDER BY version";
    // A table of that name with other columns is another program's.
    let rows = client.query(sql, &[]).await;
    let rows = rows.map_err(|_| OpenError::Foreign(name.to_owned(), "migration".into()))?;
    let read = |row: &Row| {
        Ok(Applied { version: row.try_get(0)?, checksum: row.try_get(1)?, works_with: row.try_get(2)? })
    };
    let rows: Vec<_> = rows.iter().map(read).collect::<Result<_, _>>().map_err(unusable)?;
    fit(known, &rows).map_err(|e| match e {
        Misfit::TooNew(version) => OpenError::TooNew(name.to_owned(), version),
        Misfit::Altered(version) => OpenError::Altered(name.to_owned(), version),
    })
}

/// That a migrated database is of this very version, to be read or written as a whole.
///
/// # Errors
/// When it is older, or newer: also where this version could serve it, since there may be tables that it does not know.
pub(super) async fn is_of_this_version(
    client: &Client,
    known: &'static [Migration],
    name: &str,
) -> Result<(), OpenError> {
    let schema = applied(client, known, name).await?;
    match (schema.is_newer, schema.pending) {
        (true, _) => Err(OpenError::TooNew(name.to_owned(), schema.newest)),
        (false, []) => Ok(()),
        (false, _) => Err(OpenError::Behind(name.to_owned())),
    }
}

async fn run(
    connection: &Connection,
    known: &'static [Migration],
    name: &str,
    now: Timestamp,
    copies: Copies,
) -> Result<Fit<'static>, OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let client = connection.client();
    let tables = tables(client, name).await?;
    let is_ours = tables.iter().any(|t| t == "migration");
    if !is_ours && let Some(other) = tables.iter().find(|t| known.iter().any(|m| makes(m.text, t))) {
        return Err(OpenError::Foreign(name.to_owned(), other.clone()));
    }
    if is_ours && copies == Copies::AreRefused && tables.iter().any(|t| t == MARK) {
        return Err(OpenError::HalfCopied(name.to_owned()));
    }
    client.batch_execute(TABLE).await.map_err(unusable)?;
    let found = applied(client, known, name).await?;
    if !found.pending.is_empty() {
        keep_older_nodes_out(connection, &found, name).await?;
        client.batch_execute(BRIEFLY).await.map_err(unusable)?;
    }
    for migration in found.pending {
        client.batch_execute(migration.text).await.map_err(|e| match e.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => OpenError::Held(name.to_owned(), migration.version),
            _ => unusable(e),
        })?;
        let note = "INSERT INTO migration (version, name, checksum, applied_at, works_with) VALUES ($1, $2, $3, $4, $5)";
        let Migration { version, name, works_with, .. } = migration;
        let noted =
            client.execute(note, &[version, name, &migration.checksum(), &now.millis(), works_with]).await;
        noted.map_err(unusable)?;
    }
    Ok(found)
}

/// Keeps out those who could not go on beside what is pending, until it is committed.
async fn keep_older_nodes_out(connection: &Connection, found: &Fit<'_>, name: &str) -> Result<(), OpenError> {
    // In a new database nobody works.
    let Some(version) = found.first_to_break().filter(|_| found.newest > 0) else { return Ok(()) };
    for _ in 0..TRIES {
        let out = connection.keep_older_nodes_out(found.works_with..found.will_work_with()).await;
        if out.map_err(|e| OpenError::Unusable(name.to_owned(), reason(&e)))? {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    Err(OpenError::OlderNodes(name.to_owned(), version))
}

fn makes(text: &str, table: &str) -> bool {
    text.contains(&format!("CREATE TABLE {table} ("))
}
