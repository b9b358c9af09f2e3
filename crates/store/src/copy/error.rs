//! Why a store was not copied.

use crate::{Failure, postgres, sqlite};
use secrets::KeyRingError;

/// One line for the operator. Nothing in it is secret.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A data folder or its database.
    #[error(transparent)]
    Sqlite(#[from] sqlite::OpenError),
    /// A PostgreSQL database.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// There is nothing to copy.
    #[error("{0} holds no store; nothing was copied")]
    NoStore(String),
    /// The master key is not the source's.
    #[error("the key ring of {0} cannot be opened: {1}; nothing was copied")]
    KeyRing(String, KeyRingError),
    /// The target is somebody's.
    #[error("{0} is not empty: its table {1} has rows; copy into a new one")]
    NotEmpty(String, &'static str),
    /// The target holds a part of something else.
    #[error(
        "{0} holds part of a copy of another store, or of an earlier state of this one; with --restart it is emptied \
         first"
    )]
    OtherCopy(String),
    /// The copy is not like its source.
    #[error(
        "the copy in {0} differs from its source in table {1}; it stays marked as unfinished: run it again with --restart"
    )]
    Differs(String, &'static str),
    /// A sealed value of the copy does not open.
    #[error("a sealed value in {0} does not open: {1}; the copy stays marked as unfinished")]
    Sealed(String, String),
    /// Something that should not be.
    #[error("{0}: {1}")]
    Broken(String, Failure),
}
