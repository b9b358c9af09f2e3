//! The challenges of one factor that can still be answered: at most ten (W8).
//!
//! The factor keeps the list itself. So the rule "the 11th displaces the oldest" needs no index over challenges and no
//! write to the displaced one: a challenge is displaced when its factor no longer lists it.

use crate::{
    id::ChallengeId,
    time::{Timestamp, is_live},
};

/// How many challenges of one factor may be open at once (W8).
pub const OPEN_CHALLENGES_MAX: usize = 10;

/// One entry in bytes: 16 of id, 8 of expiry.
const ENTRY_LEN: usize = 24;

/// The open challenges of one factor, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenChallenges(Vec<(ChallengeId, Timestamp)>);

impl OpenChallenges {
    /// Takes in a new challenge; forgets the expired, and the oldest if that makes more than ten.
    pub fn admit(&mut self, id: ChallengeId, expires_at: Timestamp, now: Timestamp) {
        self.0.retain(|(_, until)| is_live(*until, now));
        while self.0.len() >= OPEN_CHALLENGES_MAX {
            self.0.remove(0);
        }
        self.0.push((id, expires_at));
    }

    /// Whether this challenge is still among them.
    #[must_use]
    pub fn contains(&self, id: ChallengeId) -> bool {
        self.0.iter().any(|(open, _)| *open == id)
    }

    /// Takes out a challenge that can no longer be answered.
    pub fn remove(&mut self, id: ChallengeId) {
        self.0.retain(|(open, _)| *open != id);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form kept in the store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() * ENTRY_LEN);
        for (id, until) in &self.0 {
            out.extend_from_slice(id.bytes());
            out.extend_from_slice(&until.millis().to_be_bytes());
        }
        out
    }

    /// Reads the stored form; `None` if it is not one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let entries = bytes.chunks_exact(ENTRY_LEN);
        if !entries.remainder().is_empty() {
            return None;
        }
        entries
            .map(|entry| {
                let (id, until) = entry.split_at_checked(16)?;
                let until = i64::from_be_bytes(until.try_into().ok()?);
                Some((ChallengeId::from_bytes(id.try_into().ok()?), Timestamp::from_millis(until)))
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ChallengeId {
        ChallengeId::from_bytes([n; 16])
    }
    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn w8_the_eleventh_open_challenge_displaces_the_oldest() {
        let mut open = OpenChallenges::default();
        for n in 0..11 {
            open.admit(id(n), at(600), at(i64::from(n)));
        }
        assert_eq!(open.len(), 10);
        assert!(!open.contains(id(0)));
        assert!(open.contains(id(1)) && open.contains(id(10)));
    }

    #[test]
    fn w8_expired_ones_make_room_without_displacing() {
        let mut open = OpenChallenges::default();
        for n in 0..10 {
            open.admit(id(n), at(if n < 5 { 600 } else { 900 }), at(0));
        }
        open.admit(id(10), at(1200), at(600));
        assert_eq!(open.len(), 6);
        assert!(open.contains(id(5)) && open.contains(id(10)) && !open.contains(id(4)));
    }

    #[test]
    fn the_stored_form_is_read_back_and_nothing_else_is() {
        let mut open = OpenChallenges::default();
        open.admit(id(1), at(600), at(0));
        open.admit(id(2), at(601), at(0));
        let bytes = open.to_bytes();
        assert_eq!(OpenChallenges::from_bytes(&bytes), Some(open));
        assert_eq!(OpenChallenges::from_bytes(&bytes[1..]), None);
        assert_eq!(OpenChallenges::from_bytes(&[]), Some(OpenChallenges::default()));
    }
}
