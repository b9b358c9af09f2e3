//! What there is to verify: the product's own tables, filled with rows of the product's size.

use tokio_postgres::{Client, Error};

const SCHEMA: &str = include_str!("../../../crates/store/migrations/postgres/0001_foundation.sql");

/// Ids are counted, at the end of 16 bytes, and scattered by a digest as drawn ids are.
const FILL: &str = "
    CREATE FUNCTION limit_id(kind TEXT, n BIGINT) RETURNS BYTEA IMMUTABLE LANGUAGE SQL AS
        $$ SELECT decode(md5(kind || n), 'hex') $$;
    INSERT INTO environment VALUES (limit_id('environment', 0), 'limit', 'test', 'client_limit');
    INSERT INTO factor (id, environment_id, kind, issuer, label_user, sealed)
        SELECT limit_id('factor', n), limit_id('environment', 0), 'totp', 'Northwind', 'kim@example.org',
            decode(repeat('5a', 57), 'hex') FROM generate_series(1, $n) AS s (n);
    INSERT INTO factor_guard (factor_id, environment_id, open_challenges)
        SELECT limit_id('factor', n), limit_id('environment', 0), decode(repeat('5a', 24), 'hex')
            FROM generate_series(1, $n) AS s (n);
    INSERT INTO challenge (id, environment_id, factor_id, expires_at)
        SELECT limit_id('challenge', n), limit_id('environment', 0), limit_id('factor', n), 4000000000000
            FROM generate_series(1, $n) AS s (n);
    INSERT INTO trail_end VALUES (1, 0, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'));";

/// Fills an empty database with `n` factors, each with an open challenge.
///
/// # Errors
/// The server's: also where the database is not empty.
pub(crate) async fn fill(client: &Client, n: usize) -> Result<(), Error> {
    client.batch_execute("SET synchronous_commit = off").await?;
    client.batch_execute(SCHEMA).await?;
    client.batch_execute(&FILL.replace("$n", &n.to_string())).await?;
    client.batch_execute("CHECKPOINT").await
}

/// The ids of the challenges, in the order in which they are verified.
///
/// # Errors
/// The server's.
pub(crate) async fn challenges(client: &Client, n: usize) -> Result<Vec<Vec<u8>>, Error> {
    let text = format!("SELECT limit_id('challenge', n) FROM generate_series(1, {n}) AS s (n)");
    let rows = client.query(&text, &[]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}
