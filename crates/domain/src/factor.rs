//! Factors: what a user proves presence with.

use crate::{
    budget::Budget, id::FactorId, label::TotpLabel, open_challenges::OpenChallenges, phone::PhoneNumber,
    time::Timestamp, user_id::UserId,
};

/// The type of a factor (W3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactorKind {
    /// A code that the caller delivers itself.
    GenericOtp,
    /// A code sent to a phone number.
    Sms,
    /// An authenticator app.
    Totp,
}

impl FactorKind {
    /// The word on the wire and in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::GenericOtp => "generic_otp",
            Self::Sms => "sms",
            Self::Totp => "totp",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::GenericOtp, Self::Sms, Self::Totp].into_iter().find(|kind| kind.word() == word)
    }
}

/// What a factor of each type shows after enrollment.
#[derive(Clone, Debug)]
pub enum Details {
    /// Nothing.
    GenericOtp,
    /// The number.
    Sms(PhoneNumber),
    /// What the authenticator app shows.
    Totp(TotpLabel),
}

impl Details {
    /// Of which type.
    #[must_use]
    pub const fn kind(&self) -> FactorKind {
        match self {
            Self::GenericOtp => FactorKind::GenericOtp,
            Self::Sms(_) => FactorKind::Sms,
            Self::Totp(_) => FactorKind::Totp,
        }
    }
}

/// A factor as it is shown.
#[derive(Clone, Debug)]
pub struct Factor {
    /// Its id, which says when it was enrolled.
    pub id: FactorId,
    /// Whose it is, if the caller said.
    pub user: Option<UserId>,
    /// By type.
    pub details: Details,
    /// When its first right code was given, if one was.
    pub verified_at: Option<Timestamp>,
    /// Its count of wrong attempts, lock and stop.
    pub budget: Budget,
}

/// What stands between a code and a factor: everything an answer may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Wrong attempts in a row and the lock.
    pub budget: Budget,
    /// The last step accepted: it only rises (I5).
    pub last_step: Option<u64>,
    /// When the first right code was given.
    pub verified_at: Option<Timestamp>,
    /// Challenges that can still be answered.
    pub open: OpenChallenges,
}
