//! Why a PostgreSQL database cannot be used: one line for the operator.

use super::tls::cure;
use std::error::Error as _;

/// The line names the server and the database, never a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one.
    #[error("the database URL cannot be used: {0}")]
    Url(String),
    /// A certificate, key or password file is not as it should be.
    #[error("{0}")]
    File(String),
    /// Nobody answers, or not to us.
    #[error("PostgreSQL at {0} does not take the connection: {1}")]
    Unreachable(String, String),
    /// Before version 15.
    #[error("PostgreSQL at {0} is version {1}; version 15 or later is needed")]
    TooOld(String, String),
    /// Made by a later version.
    #[error(
        "the database {0} was written by a newer version (migration {1}); run that version, or restore a backup of before"
    )]
    TooNew(String, i64),
    /// A migration beside which nodes that are connected cannot go on.
    #[error(
        "migration {1} of the database {0} cannot run beside the older nodes that are connected; stop them all, then do this \
         again"
    )]
    OlderNodes(String, i64),
    /// A migration that does not get its turn.
    #[error(
        "migration {1} of the database {0} waits for a transaction that does not end; look for it in pg_stat_activity, end \
         it, then do this again"
    )]
    Held(String, i64),
    /// A migration was changed after it ran.
    #[error("the database {0} was migrated with another text of migration {1}; run the version that made it")]
    Altered(String, i64),
    /// Not ours.
    #[error(
        "the database {0} has a table {1} that is not ours; use a database, or a schema by `options=-csearch_path=…`, of its own"
    )]
    Foreign(String, String),
    /// A copy into it was begun and did not end.
    #[error("the database {0} is a copy that did not end; run `countersign copy` into it again")]
    HalfCopied(String),
    /// Made by an earlier version, and not to be changed.
    #[error("the database {0} was written by an older version; run `countersign migrate` on it first")]
    Behind(String),
    /// To be copied, and somebody has it open.
    #[error("nodes or another copy are connected to the database {0}; stop them all first")]
    InUse(String),
    /// Anything else.
    #[error("the database {0} cannot be used: {1}")]
    Unusable(String, String),
}

/// An error's message and cause in a line. The server's detail is left out.
pub(super) fn reason(e: &tokio_postgres::Error) -> String {
    match (e.as_db_error(), e.source()) {
        (Some(told), _) => format!("{} ({})", told.message(), told.code().code()),
        (None, Some(cause)) => {
            let text = format!("{e}: {cause}").replace(&format!(": {cause}: {cause}"), &format!(": {cause}"));
            cure(cause).map_or(text.clone(), |cure| format!("{text}; {cure}"))
        }
        (None, None) => e.to_string(),
    }
}
