//! Saying no. A refusal is something a caller is told; it is not a failure.

/// What is wrong with one field of a request. The submitted value is never part of it (W5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name on the wire.
    pub field: &'static str,
    /// What is wrong, to stand after the field's name: `should not be empty`, `must be a string`.
    pub problem: String,
}

impl FieldError {
    /// A problem of a field.
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// Why a request was refused. Closed and flat: one exhaustive match at the edge turns it into an answer (W5), so a new
/// refusal does not compile until somebody decides what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The factor does not exist in this environment.
    FactorNotFound,
    /// The challenge does not exist in this environment, or its factor is gone.
    ChallengeNotFound,
    /// Fields are missing or wrong.
    Invalid(Vec<FieldError>),
    /// The phone number is not one, is not allowed, or was refused for good by the provider. Holds what may be echoed.
    InvalidPhoneNumber(String),
    /// The user has as many factors as the environment allows (W12).
    FactorLimitReached,
    /// The challenge has been verified before.
    AlreadyVerified,
    /// The challenge has expired, or newer ones of its factor have displaced it (W8).
    Expired,
    /// The five attempts of the challenge are used up.
    TooManyAttempts,
    /// The factor is locked, or its user's budget is used up (W9).
    Locked {
        /// Whole seconds, at least 1.
        retry_after: u32,
    },
    /// The factor has had 100 wrong attempts in a row; only a reset lifts that.
    Stopped,
    /// No more messages to this number for now; without a time if the factor is stopped.
    SmsRateLimited {
        /// Whole seconds, at least 1.
        retry_after: Option<u32>,
    },
    /// The environment's daily quota of messages is used up.
    SmsQuotaReached {
        /// Whole seconds, at least 1.
        retry_after: u32,
    },
    /// The message was certainly not sent, and will not be.
    SmsNotSent,
}
