//! Into SQLite: one transaction, without a log, as whoever fills can begin anew.

use crate::rows::Rows;
use rusqlite::{Connection, params};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Fills it.
///
/// # Errors
/// One line. Also where there are factors already.
pub(crate) fn fill(path: &Path, rows: &Rows) -> Result<(), String> {
    write(path, rows).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, rows: &Rows) -> Result<(), String> {
    let told = |e: rusqlite::Error| e.to_string();
    let mut connection = Connection::open(path).map_err(told)?;
    let prepare = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144;
        PRAGMA temp_store = MEMORY;";
    // The store that the keys were read from may take a moment to end.
    let begun = Instant::now();
    while let Err(e) = connection.execute_batch(prepare) {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err(told(e));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let some =
        connection.query_row("SELECT EXISTS (SELECT 1 FROM factor)", [], |r| r.get(0)).map_err(told)?;
    if some {
        return Err("there are factors already".into());
    }
    let environment = rows.environment.bytes();
    let transaction = connection.transaction().map_err(told)?;
    {
        let mut factor = transaction
            .prepare("INSERT INTO factor VALUES (?1, ?2, ?3, 'totp', 'Northwind', 'kim@example.org', ?4)")
            .map_err(told)?;
        for n in 0..rows.factors {
            let row = params![rows.factor_id(n), environment, Rows::user(n), rows.sealed(n)?];
            factor.execute(row).map_err(told)?;
        }
        let mut guard = transaction
            .prepare("INSERT INTO factor_guard VALUES (?1, ?2, ?3, 0, NULL, 1, ?4)")
            .map_err(told)?;
        for n in 0..rows.factors {
            let row = params![rows.factor_id(n), environment, rows.verified_at(), Rows::no_challenges()];
            guard.execute(row).map_err(told)?;
        }
        let mut budget = transaction.prepare("INSERT INTO user_budget VALUES (?1, ?2, ?3)").map_err(told)?;
        // In their order, so that each lands on the last page.
        let mut users: Vec<String> = (0..rows.factors).map(Rows::user).collect();
        users.sort_unstable();
        for user in users {
            budget.execute(params![environment, user, Rows::no_wrong()]).map_err(told)?;
        }
        let mut challenge = transaction
            .prepare("INSERT INTO challenge VALUES (?1, ?2, ?3, ?4, 1, ?5, NULL, NULL)")
            .map_err(told)?;
        for n in 0..rows.challenges {
            let row = rows.challenge(n);
            let row = params![row.id, environment, row.factor, row.expires_at, row.verified_at];
            challenge.execute(row).map_err(told)?;
        }
    }
    transaction.commit().map_err(told)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL;").map_err(told)
}
