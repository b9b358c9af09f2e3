//! The database, by its URL.

use std::path::PathBuf;
use store::postgres::Options as Database;

/// Reads a database URL. Passwords may be in the file that `PGPASSFILE` names, else in `~/.pgpass`.
///
/// # Errors
/// One line: what is wrong with it.
pub(crate) fn database(url: &str) -> Result<Database, String> {
    let named = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".pgpass"));
    Database::parse(url, named.or_else(usual).as_deref()).map_err(|e| e.to_string())
}
