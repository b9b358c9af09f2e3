//! Answers in one word.

use crate::store::{Failure, steps::answer_challenge::Told};
use domain::refusal::Refusal;

/// An answer to a code in one word, as the invariants call it.
pub(crate) fn word(told: &Result<Result<Told, Refusal>, Failure>) -> &'static str {
    match told {
        Ok(Ok(told)) if told.valid => "TRUE",
        Ok(Ok(_)) => "FALSE",
        Ok(Err(Refusal::AlreadyVerified)) => "VERIFIED",
        Ok(Err(Refusal::Expired)) => "EXPIRED",
        Ok(Err(Refusal::TooManyAttempts)) => "SPENT",
        Ok(Err(Refusal::Locked { .. })) => "LOCKED",
        Ok(Err(Refusal::Stopped)) => "STOPPED",
        Ok(Err(Refusal::ChallengeNotFound)) => "GONE",
        Ok(Err(_)) => "another refusal",
        Err(Failure::Busy(_)) => "BUSY",
        Err(Failure::Internal(_)) => "INTERNAL",
    }
}
