//! Into PostgreSQL: by COPY, frozen, as a table that has been there for long and vacuumed.

use crate::rows::Rows;
use std::pin::pin;
use tokio_postgres::{
    Client, Error, NoTls, Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

/// Fills it.
///
/// # Errors
/// One line. Also where there are factors already.
pub(crate) async fn fill(url: &str, rows: &Rows) -> Result<(), String> {
    let (mut client, wire) = tokio_postgres::connect(url, NoTls).await.map_err(|e| e.to_string())?;
    // Whoever uses the connection learns that it is gone.
    drop(tokio::spawn(async move { drop(wire.await) }));
    write(&mut client, rows).await
}

fn told(e: Error) -> String {
    e.as_db_error().map_or_else(|| e.to_string(), ToString::to_string)
}

async fn write(client: &mut Client, rows: &Rows) -> Result<(), String> {
    client.batch_execute("SET synchronous_commit = off").await.map_err(told)?;
    let some = client.query_one("SELECT EXISTS (SELECT 1 FROM factor)", &[]).await.map_err(told)?;
    if some.get(0) {
        return Err("there are factors already".into());
    }
    let environment = &rows.environment.bytes()[..];
    let transaction = client.transaction().await.map_err(told)?;
    // A table can be filled with frozen rows only in the transaction that has emptied it.
    transaction.batch_execute("TRUNCATE factor, factor_guard, user_budget, challenge").await.map_err(told)?;

    let fixed = Type::BYTEA;
    let types = [fixed.clone(), fixed.clone(), Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, fixed.clone()];
    let into = "factor (id, environment_id, user_id, kind, issuer, label_user, sealed)";
    let factor = |n| -> Result<Values, String> {
        let label = ["totp", "Northwind", "kim@example.org"].map(|text| Box::new(text) as Value);
        let [kind, issuer, user] = label;
        let (id, whose) = (bytes(&rows.factor_id(n)), Box::new(Rows::user(n)));
        Ok(vec![id, bytes(environment), whose, kind, issuer, user, Box::new(rows.sealed(n)?)])
    };
    copy(&transaction, into, &types, rows.factors, factor).await?;

    let types = [fixed.clone(), fixed.clone(), Type::INT8, Type::INT8, fixed.clone()];
    let into = "factor_guard (factor_id, environment_id, verified_at, last_step, open_challenges)";
    let guard = |n| -> Result<Values, String> {
        let (id, verified_at) = (bytes(&rows.factor_id(n)), Box::new(rows.verified_at()));
        Ok(vec![id, bytes(environment), verified_at, Box::new(1_i64), bytes(&Rows::no_challenges())])
    };
    copy(&transaction, into, &types, rows.factors, guard).await?;

    let types = [fixed.clone(), Type::TEXT, fixed.clone()];
    let budget = |n| -> Result<Values, String> {
        Ok(vec![bytes(environment), Box::new(Rows::user(n)), bytes(&Rows::no_wrong())])
    };
    copy(&transaction, "user_budget (environment_id, user_id, wrong_at)", &types, rows.factors, budget)
        .await?;

    let types = [fixed.clone(), fixed.clone(), fixed, Type::INT8, Type::INT8, Type::INT8];
    let into = "challenge (id, environment_id, factor_id, expires_at, attempts_used, verified_at)";
    let challenge = |n| -> Result<Values, String> {
        let it = rows.challenge(n);
        let (expires_at, verified_at) = (Box::new(it.expires_at), Box::new(it.verified_at));
        let ids = [bytes(&it.id), bytes(environment), bytes(&it.factor)];
        Ok(ids.into_iter().chain([expires_at as Value, Box::new(1_i64), verified_at]).collect())
    };
    copy(&transaction, into, &types, rows.challenges, challenge).await?;
    transaction.commit().await.map_err(told)?;
    client.batch_execute("ANALYZE; CHECKPOINT").await.map_err(told)
}

type Value = Box<dyn ToSql + Sync + Send>;
type Values = Vec<Value>;

fn bytes(bytes: &[u8]) -> Value {
    Box::new(bytes.to_vec())
}

async fn copy(
    transaction: &Transaction<'_>,
    into: &str,
    types: &[Type],
    n: u64,
    row: impl Fn(u64) -> Result<Values, String>,
) -> Result<(), String> {
    let text = format!("COPY {into} FROM STDIN (FORMAT binary, FREEZE)");
    let sink = transaction.copy_in(&text).await.map_err(told)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
    for n in 0..n {
        let values = row(n)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| &**v as &(dyn ToSql + Sync)).collect();
        writer.as_mut().write(&values).await.map_err(told)?;
    }
    let taken = writer.finish().await.map_err(told)?;
    if taken == n { Ok(()) } else { Err(format!("{taken} of {n} rows were taken by {into}")) }
}
