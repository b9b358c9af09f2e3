//! Migrations: numbered, embedded, never changed once released; by one node at a time, all or none.

use super::{
    connection::{Connection, Unconfirmed},
    open_error::{OpenError, reason},
    options::Options,
};
use crate::{copy::place::MARK, engine::fnv::Fnv};
use domain::time::Timestamp;
use tokio_postgres::Client;

/// Number, name, text. The numbers and names are those of the embedded engine's.
pub(crate) const MIGRATIONS: &[(i64, &str, &str)] =
    &[(1, "foundation", include_str!("../../../migrations/postgres/0001_foundation.sql"))];

/// The oldest server, as it says so itself.
const OLDEST: i32 = 150_000;
/// Other nodes that start meanwhile wait for this lock.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;
    SELECT pg_advisory_xact_lock(289348463296514)";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (
    version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum BIGINT NOT NULL, applied_at BIGINT NOT NULL
)";

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
    bring(&connection, name, now, Copies::AreRefused).await
}

/// Brings the database to the newest version.
pub(super) async fn bring(
    connection: &Connection,
    name: &str,
    now: Timestamp,
    copies: Copies,
) -> Result<(), OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let client = connection.client();
    client.batch_execute(BEGIN).await.map_err(unusable)?;
    // Nothing is committed before this is through: whatever goes wrong leaves the database as it was.
    run(client, name, now, copies).await?;
    connection.commit().await.map_err(|e| unconfirmed(name, e))
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

/// How many migrations were applied, all of which this version knows.
async fn applied(client: &Client, name: &str) -> Result<usize, OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let applied = client.query("SELECT version, checksum FROM migration ORDER BY version", &[]).await;
    // A table of that name with other columns is another program's.
    let applied = applied.map_err(|_| OpenError::Foreign(name.to_owned(), "migration".into()))?;
    for row in &applied {
        let version: i64 = row.try_get(0).map_err(unusable)?;
        let sum: i64 = row.try_get(1).map_err(unusable)?;
        match MIGRATIONS.iter().find(|(v, ..)| *v == version) {
            None => return Err(OpenError::TooNew(name.to_owned(), version)),
            Some((.., text)) if Fnv::of(text) != sum => {
                return Err(OpenError::Altered(name.to_owned(), version));
            }
            Some(_) => {}
        }
    }
    Ok(applied.len())
}

/// Whether a database that has been migrated is at the newest version.
pub(super) async fn is_current(client: &Client, name: &str) -> Result<bool, OpenError> {
    Ok(applied(client, name).await? == MIGRATIONS.len())
}

async fn run(client: &Client, name: &str, now: Timestamp, copies: Copies) -> Result<(), OpenError> {
    let unusable = |e: tokio_postgres::Error| OpenError::Unusable(name.to_owned(), reason(&e));
    let tables = tables(client, name).await?;
    let is_ours = tables.iter().any(|t| t == "migration");
    if !is_ours
        && let Some(other) = tables.iter().find(|t| MIGRATIONS.iter().any(|(.., text)| makes(text, t)))
    {
        return Err(OpenError::Foreign(name.to_owned(), other.clone()));
    }
    if is_ours && copies == Copies::AreRefused && tables.iter().any(|t| t == MARK) {
        return Err(OpenError::HalfCopied(name.to_owned()));
    }
    client.batch_execute(TABLE).await.map_err(unusable)?;
    let applied = applied(client, name).await?;
    for (version, title, text) in MIGRATIONS.iter().skip(applied) {
        client.batch_execute(text).await.map_err(unusable)?;
        let note = "INSERT INTO migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
        let noted = client.execute(note, &[version, title, &Fnv::of(text), &now.millis()]).await;
        noted.map_err(unusable)?;
    }
    Ok(())
}

fn makes(text: &str, table: &str) -> bool {
    text.contains(&format!("CREATE TABLE {table} ("))
}
