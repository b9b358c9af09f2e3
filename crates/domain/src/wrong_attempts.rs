//! What one challenge keeps of its wrong attempts: when, and why. Never a code.

use crate::{challenge::ATTEMPTS_MAX, event::WrongReason, time::Timestamp};

/// One entry in bytes: 8 of time, 1 of reason, 2 of the phone's clock.
const ENTRY_LEN: usize = 11;

/// A wrong attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongAttempt {
    /// When.
    pub at: Timestamp,
    /// Why it was wrong.
    pub reason: WrongReason,
}

/// The wrong attempts of one challenge, in their order: five at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrongAttempts([Option<WrongAttempt>; ATTEMPTS_MAX as usize]);

impl WrongAttempts {
    /// Keeps one more, if there is room.
    pub fn push(&mut self, attempt: WrongAttempt) {
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(attempt);
        }
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = WrongAttempt> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The form kept in the store; `None` for none, so that a right code at once writes nothing more.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        self.iter().next()?;
        let mut out = Vec::with_capacity(self.0.len() * ENTRY_LEN);
        for attempt in self.iter() {
            let (reason, slow_by) = match attempt.reason {
                WrongReason::Mismatch => (1, 0),
                WrongReason::Outside { slow_by } => (2, slow_by),
                WrongReason::Replay => (3, 0),
                WrongReason::Malformed => (4, 0),
            };
            out.extend_from_slice(&attempt.at.millis().to_be_bytes());
            out.push(reason);
            out.extend_from_slice(&slow_by.to_be_bytes());
        }
        Some(out)
    }

    /// Reads it again; `None` if it is not that.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_LEN>();
        let mut read = Self::default();
        if !rest.is_empty() || entries.len() > read.0.len() {
            return None;
        }
        for entry in entries {
            let (at, rest) = entry.split_first_chunk::<8>()?;
            let (reason, slow_by) = rest.split_first()?;
            let slow_by = i16::from_be_bytes(slow_by.try_into().ok()?);
            let reason = match reason {
                1 => WrongReason::Mismatch,
                2 => WrongReason::Outside { slow_by },
                3 => WrongReason::Replay,
                4 => WrongReason::Malformed,
                _ => return None,
            };
            read.push(WrongAttempt { at: Timestamp::from_millis(i64::from_be_bytes(*at)), reason });
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_attempts_are_read_back_as_they_were_and_are_five_at_most() {
        let mut kept = WrongAttempts::default();
        assert_eq!(kept.to_bytes(), None);
        let reasons = [
            WrongReason::Mismatch,
            WrongReason::Outside { slow_by: -70 },
            WrongReason::Replay,
            WrongReason::Malformed,
            WrongReason::Outside { slow_by: 300 },
            WrongReason::Mismatch,
        ];
        for (n, reason) in (1_i64..).zip(reasons) {
            kept.push(WrongAttempt { at: Timestamp::from_millis(n << 40), reason });
        }
        let bytes = kept.to_bytes().unwrap();
        assert_eq!(bytes.len(), 55);
        assert_eq!(WrongAttempts::from_bytes(&bytes), Some(kept));
        assert_eq!(kept.iter().map(|a| a.reason).collect::<Vec<_>>(), reasons[..5]);
        assert_eq!(WrongAttempts::from_bytes(&bytes[..54]), None);
        assert_eq!(WrongAttempts::from_bytes(&[0; 11]), None);
        assert_eq!(WrongAttempts::from_bytes(&[bytes.as_slice(), &bytes[..11]].concat()), None);
    }
}
