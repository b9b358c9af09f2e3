//! Whether the database file can still be trusted, shared by the threads that write to it.

use super::{OnFatal, transaction::failure};
use crate::Failure;
use rusqlite::ErrorCode;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// Once lost, it does not come back: the process should end, and recover at start.
#[derive(Clone)]
pub(super) struct Soundness(Arc<State>);

struct State {
    sound: AtomicBool,
    on_fatal: OnFatal,
}

impl Soundness {
    pub(super) fn new(on_fatal: OnFatal) -> Self {
        Self(Arc::new(State { sound: AtomicBool::new(true), on_fatal }))
    }

    pub(super) fn holds(&self) -> bool {
        self.0.sound.load(Relaxed)
    }

    /// Ends it, and says why, once.
    pub(super) fn end(&self, why: &str) {
        if self.0.sound.swap(false, Relaxed) {
            (self.0.on_fatal)(why);
        }
    }

    /// Turns an error into a failure, and ends soundness if the file can no longer be trusted: after a failed sync the
    /// kernel may have dropped the pages, so a second sync that succeeds proves nothing. A full disk is not of that
    /// kind: what did not fit was rolled back.
    pub(super) fn judge(&self, what: &str, e: &rusqlite::Error) -> Failure {
        match e.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                self.end(&format!("{what} failed: {e}"));
                Failure::Busy(format!("{what}: {e}"))
            }
            _ => match failure(what, e) {
                Failure::Internal(text) | Failure::Busy(text) => Failure::Busy(text),
            },
        }
    }
}
