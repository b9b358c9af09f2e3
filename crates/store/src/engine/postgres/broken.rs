//! How a transaction ends badly.

use crate::Failure;
use tokio_postgres::{Error, error::SqlState};

/// Why nothing of a transaction may be told.
#[derive(Debug)]
pub(super) enum Broken {
    /// The server has rolled it back for the sake of others: it may be run again.
    Again(Failure),
    /// The connection is gone, or the server is going: nothing was committed.
    Lost(Failure),
    /// A step or one of its statements broke: nothing was committed.
    Failed(Failure),
    /// COMMIT was sent and not confirmed. Whether it came about is unknown.
    Unknown(Failure),
}

impl Broken {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Again(e) | Self::Lost(e) | Self::Failed(e) | Self::Unknown(e) => e,
        }
    }

    /// A statement's error. The server's detail is left out: it may hold values.
    pub(super) fn by_statement(name: &str, e: &Error) -> Self {
        let Some(state) = e.code() else {
            return if e.is_closed() || std::error::Error::source(e).is_some_and(|s| s.is::<std::io::Error>())
            {
                Self::Lost(Failure::Busy(format!("{name}: {e}")))
            } else {
                // A parameter or a row that the driver does not take.
                Self::Failed(Failure::Internal(format!("{name}: {e}")))
            };
        };
        let message = e.as_db_error().map(tokio_postgres::error::DbError::message).unwrap_or_default();
        let text = format!("{name}: {message} ({})", state.code());
        match *state {
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE => {
                Self::Again(Failure::Busy(text))
            }
            SqlState::READ_ONLY_SQL_TRANSACTION
            | SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW => Self::Lost(Failure::Busy(text)),
            SqlState::LOCK_NOT_AVAILABLE | SqlState::QUERY_CANCELED => Self::Failed(Failure::Busy(text)),
            // 53: out of disk, memory, connections; 57: the operator; 58: the system below.
            _ if ["53", "57", "58"].iter().any(|class| state.code().starts_with(class)) => {
                Self::Failed(Failure::Busy(text))
            }
            _ => Self::Failed(Failure::Internal(text)),
        }
    }
}
