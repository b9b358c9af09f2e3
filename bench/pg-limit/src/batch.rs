//! The statements of a batch of verifies, in the order and the grouping of the product's engine.

use std::time::Duration;
use tokio_postgres::{Client, Error, Statement, types::Type};

/// What the engine sets on a connection.
const SET_UP: &str =
    "SET default_transaction_isolation = 'read committed'; SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off; SET jit = off; SET synchronous_commit = on";

const READ: &str = "SELECT q.n, c.factor_id, c.expires_at, c.attempts_used, c.verified_at, c.code_digest,
    f.user_id, f.kind, f.sealed, g.wrong_in_a_row, g.locked_until, g.last_step, g.verified_at, g.open_challenges
    FROM challenge AS c JOIN factor AS f ON f.id = c.factor_id AND f.environment_id = c.environment_id
    JOIN factor_guard AS g ON g.factor_id = c.factor_id AND g.environment_id = c.environment_id,
    unnest($1::bytea[]) WITH ORDINALITY AS q (p1, n)
    WHERE c.id = q.p1 ORDER BY c.factor_id, c.id FOR UPDATE OF g, c";
const SPEND: &str = "UPDATE challenge SET attempts_used = 1, verified_at = 1700000000000
    FROM unnest($1::bytea[]) AS q (p1) WHERE id = q.p1 AND attempts_used = 0 AND verified_at IS NULL";
const ACCEPT: &str = "UPDATE factor_guard SET wrong_in_a_row = 0, locked_until = NULL, last_step = 1,
    verified_at = 1700000000000, open_challenges = q.p2 FROM unnest($1::bytea[], $2::bytea[]) AS q (p1, p2)
    WHERE factor_id = q.p1 AND (last_step IS NULL OR last_step < 1)";
const LOCK_TRAIL: &str = "SELECT pg_advisory_xact_lock(1)";
const LAST: &str = "SELECT seq, mac FROM event ORDER BY seq DESC LIMIT 1";
const APPEND: &str = "INSERT INTO event (seq, at, kind, actor, factor_id, challenge_id, detail, mac)
    SELECT q.n, 1700000000000, 'verification.succeeded', 'api_key_01JZZZZZZZZZZZZZZZZZZZZZZZ', q.p1, q.p2,
    '{\"after_wrong\":0}', q.p3 FROM unnest($1::int8[], $2::bytea[], $3::bytea[], $4::bytea[]) AS q (n, p1, p2, p3)";
const END: &str = "UPDATE trail_end SET seq = $1, mac = $2, proof = $2 WHERE id = 1";

/// A connection with its statements.
pub(crate) struct Batcher {
    client: Client,
    trail: bool,
    read: Statement,
    spend: Statement,
    accept: Statement,
    lock_trail: Statement,
    last: Statement,
    append: Statement,
    end: Statement,
}

impl Batcher {
    /// Prepares them. With `trail` each verify also leaves an entry in the trail.
    ///
    /// # Errors
    /// The server's.
    pub(crate) async fn new(client: Client, trail: bool) -> Result<Self, Error> {
        const BYTES: Type = Type::BYTEA_ARRAY;
        client.batch_execute(SET_UP).await?;
        Ok(Self {
            trail,
            read: client.prepare_typed(READ, &[BYTES]).await?,
            spend: client.prepare_typed(SPEND, &[BYTES]).await?,
            accept: client.prepare_typed(ACCEPT, &[BYTES, BYTES]).await?,
            lock_trail: client.prepare(LOCK_TRAIL).await?,
            last: client.prepare(LAST).await?,
            append: client.prepare_typed(APPEND, &[Type::INT8_ARRAY, BYTES, BYTES, BYTES]).await?,
            end: client.prepare_typed(END, &[Type::INT8, Type::BYTEA]).await?,
            client,
        })
    }

    /// Verifies all of them in one transaction and answers how long its commit took.
    ///
    /// # Errors
    /// The server's, or that a challenge was not there to be verified.
    pub(crate) async fn verify(&self, challenges: &[Vec<u8>]) -> Result<Duration, String> {
        let challenges: Vec<&[u8]> = challenges.iter().map(Vec::as_slice).collect();
        let run = async {
            let c = &self.client;
            let (_, rows) = tokio::try_join!(c.batch_execute("BEGIN"), async {
                c.query(&self.read, &[&challenges]).await
            })?;
            let factors = rows.iter().map(|row| row.try_get(1)).collect::<Result<Vec<&[u8]>, _>>()?;
            let open = vec![&[0x5a_u8; 24][..]; factors.len()];
            let (spent, accepted) =
                tokio::try_join!(async { c.execute(&self.spend, &[&challenges]).await }, async {
                    c.execute(&self.accept, &[&factors, &open]).await
                })?;
            if self.trail {
                let (_, last) = tokio::try_join!(async { c.query(&self.lock_trail, &[]).await }, async {
                    c.query_opt(&self.last, &[]).await
                })?;
                let last: i64 = last.map_or(Ok(0), |row| row.try_get(0))?;
                let seqs: Vec<i64> = (last + 1..).take(factors.len()).collect();
                let mac = &[0x5a_u8; 32][..];
                let macs = vec![mac; factors.len()];
                let end = seqs.last().copied().unwrap_or(last);
                tokio::try_join!(
                    async { c.execute(&self.append, &[&seqs, &factors, &challenges, &macs]).await },
                    async { c.execute(&self.end, &[&end, &mac]).await }
                )?;
            }
            let begun = tokio::time::Instant::now();
            c.batch_execute("COMMIT").await?;
            Ok::<_, Error>((spent.min(accepted), begun.elapsed()))
        };
        match run.await {
            Ok((done, took)) if done == challenges.len() as u64 => Ok(took),
            Ok((done, _)) => Err(format!("{done} of {} were verified", challenges.len())),
            Err(e) => Err(e.as_db_error().map_or_else(|| e.to_string(), ToString::to_string)),
        }
    }
}
