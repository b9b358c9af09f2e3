//! Environments, API keys and the scope that they prove.

use crate::{
    id::{ApiKeyId, EnvironmentId},
    settings::Settings,
    time::{Timestamp, is_live},
};

/// Which kind of key an environment hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `sk_test_…`
    Test,
    /// `sk_live_…`
    Live,
}

impl Mode {
    /// The word on the command line and in the store.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// What separates one tenant from another.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name, unique on this server; also the default issuer.
    pub name: String,
    /// Test or live.
    pub mode: Mode,
    /// `client_…`, which some SDKs insist on.
    pub client_id: String,
    /// Its policy.
    pub settings: Settings,
}

/// The proof that a piece of code may touch one environment. Only an accepted API key or an operator's grant makes one,
/// and every store call on tenant data asks for it (I12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope(EnvironmentId);

impl Scope {
    /// From an API key that has been accepted.
    #[must_use]
    pub const fn of_key(key: &ApiKey) -> Self {
        Self(key.environment)
    }

    /// From an operator, who may touch any environment.
    #[must_use]
    pub const fn of_operator(environment: &Environment) -> Self {
        Self(environment.id)
    }

    /// Which environment.
    #[must_use]
    pub const fn environment(self) -> EnvironmentId {
        self.0
    }
}

/// What an API key may do. A key may do everything unless it was made with less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Create factors (routes 1 and 6).
    Enroll,
    /// Read and list factors (2 and 7).
    Read,
    /// Delete factors (3).
    Delete,
    /// Open challenges (4 and 8).
    Challenge,
    /// Hand in codes (5 and 9).
    Verify,
}

impl Permission {
    /// All of them, with the word for each.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Enroll, "enroll"),
        (Self::Read, "read"),
        (Self::Delete, "delete"),
        (Self::Challenge, "challenge"),
        (Self::Verify, "verify"),
    ];
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Everything.
    pub const FULL: Self = Self(0b1_1111);

    /// Whether this one is in it.
    #[must_use]
    pub const fn allow(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u8) != 0
    }

    /// Reads `all` or words separated by commas; `None` at an unknown word or none at all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.trim() == "all" {
            return Some(Self::FULL);
        }
        let bit = |word: &str| {
            let (permission, _) = Permission::ALL.into_iter().find(|(_, name)| *name == word.trim())?;
            Some(1u8 << permission as u8)
        };
        text.split(',').map(bit).try_fold(0, |set, bit| Some(set | bit?)).map(Self)
    }

    /// `all`, or the words separated by commas.
    #[must_use]
    pub fn words(self) -> String {
        if self == Self::FULL {
            return "all".into();
        }
        let held = Permission::ALL.into_iter().filter(|(p, _)| self.allow(*p)).map(|(_, word)| word);
        held.collect::<Vec<_>>().join(",")
    }
}

/// The record of an API key. The key itself is kept nowhere; a keyed digest finds this record.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The record's id.
    pub id: ApiKeyId,
    /// Whose key.
    pub environment: EnvironmentId,
    /// What an operator calls it.
    pub name: String,
    /// First and last characters, to tell keys apart.
    pub hint: String,
    /// What it may do.
    pub permissions: Permissions,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last accepted, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key is accepted at `now`.
    #[must_use]
    pub fn is_accepted(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| is_live(at, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_words() {
        assert_eq!(Permissions::parse("all"), Some(Permissions::FULL));
        let some = Permissions::parse("challenge, verify").unwrap();
        assert!(some.allow(Permission::Verify) && !some.allow(Permission::Enroll));
        assert_eq!(some.words(), "challenge,verify");
        assert_eq!(Permissions::parse("all").unwrap().words(), "all");
        for wrong in ["", "verify,", "everything", "Verify"] {
            assert_eq!(Permissions::parse(wrong), None, "{wrong}");
        }
    }
}
