//! Breaking with an error. A failure is ours; a refusal is an answer.

/// Something of ours did not work. The caller learns only that (W5); the text is for the log, and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The store cannot take this now: queue full, disk full, commit not confirmed. Nothing was told; it may be tried
    /// again (503).
    #[error("the store is busy: {0}")]
    Busy(String),
    /// A broken invariant, an unreadable row, a fault in our code (500).
    #[error("internal: {0}")]
    Internal(String),
}

impl Failure {
    /// A broken invariant, in words.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(what.into())
    }

    /// A passing inability, in words.
    pub fn busy(what: impl Into<String>) -> Self {
        Self::Busy(what.into())
    }
}

impl From<secrets::EntropyFailed> for Failure {
    fn from(e: secrets::EntropyFailed) -> Self {
        Self::Internal(e.to_string())
    }
}

impl From<secrets::SealError> for Failure {
    fn from(e: secrets::SealError) -> Self {
        Self::Internal(e.to_string())
    }
}

impl From<secrets::OpenError> for Failure {
    /// A sealed value that does not open where it stands was moved, edited or sealed under a lost key. Never an answer.
    fn from(e: secrets::OpenError) -> Self {
        Self::Internal(format!("a sealed value does not open: {e}"))
    }
}
