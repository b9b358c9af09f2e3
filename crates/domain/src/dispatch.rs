//! What is kept of the tries at handing a message to providers.

use crate::{delivery::DispatchOutcome, time::Timestamp};

/// Tries that are kept of one message. Beyond that those in the middle go, which look like their neighbours.
const KEPT_MAX: usize = 16;
/// Characters of a cause.
const CAUSE_MAX: usize = 120;

/// How one try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The provider took it.
    Accepted,
    /// It may or may not have gone out.
    Unknown,
    /// The number is refused for good.
    RejectedNumber,
    /// The provider could not be reached, or had too much to do.
    Busy,
    /// The provider does not take our account, credentials or request.
    Unusable,
    /// The provider does not take this message.
    Declined,
}

impl Ended {
    const ALL: [Self; 6] =
        [Self::Accepted, Self::Unknown, Self::RejectedNumber, Self::Busy, Self::Unusable, Self::Declined];

    /// The word in the store, in figures and in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => DispatchOutcome::Accepted.word(),
            Self::Unknown => DispatchOutcome::Unknown.word(),
            Self::RejectedNumber => DispatchOutcome::RejectedNumber.word(),
            Self::Busy => "busy",
            Self::Unusable => "unusable",
            Self::Declined => "declined",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ended| ended.word() == word)
    }
}

/// One try at handing a message to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// When the outcome was there.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The provider's name in the configuration.
    pub provider: String,
    /// How it ended.
    pub ended: Ended,
    /// Why, in few words of ours: statuses and codes, never what a provider wrote.
    pub cause: String,
}

/// The tries of one message, in their order: a bounded number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dispatches {
    kept: Vec<Dispatch>,
    /// How many are missing between the first half and the second.
    left_out: u32,
}

impl Dispatches {
    /// Keeps one more.
    pub fn push(&mut self, mut dispatch: Dispatch) {
        dispatch.cause = one_line(&dispatch.cause);
        if self.kept.len() >= KEPT_MAX {
            self.kept.remove(KEPT_MAX / 2);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.kept.push(dispatch);
    }

    /// Those that are kept, in their order.
    #[must_use]
    pub fn kept(&self) -> &[Dispatch] {
        &self.kept
    }

    /// How many are missing in the middle.
    #[must_use]
    pub const fn left_out(&self) -> u32 {
        self.left_out
    }

    /// The form kept in the store: a line each. `None` for none.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        if self.kept.is_empty() {
            return None;
        }
        let mut text = format!("{}\n", self.left_out);
        for Dispatch { at, took_ms, provider, ended, cause } in &self.kept {
            let (at, word) = (at.millis(), ended.word());
            text.push_str(&format!("{at}\t{took_ms}\t{word}\t{provider}\t{cause}\n"));
        }
        Some(text)
    }

    /// Reads it again; `None` if it is not that.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let left_out = lines.next()?.parse().ok()?;
        let read = |line: &str| {
            let mut fields = line.splitn(5, '\t');
            Some(Dispatch {
                at: Timestamp::from_millis(fields.next()?.parse().ok()?),
                took_ms: fields.next()?.parse().ok()?,
                ended: Ended::parse(fields.next()?)?,
                provider: fields.next()?.to_owned(),
                cause: fields.next()?.to_owned(),
            })
        };
        let kept = lines.map(read).collect::<Option<Vec<_>>>()?;
        (kept.len() <= KEPT_MAX).then_some(Self { kept, left_out })
    }
}

/// A short text without what would end its line or its field.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CAUSE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispatch(n: u32, cause: &str) -> Dispatch {
        let at = Timestamp::from_millis(i64::from(n));
        Dispatch { at, took_ms: n, provider: "one".into(), ended: Ended::Busy, cause: cause.into() }
    }

    #[test]
    fn tries_are_read_back_and_those_in_the_middle_go_when_there_are_too_many() {
        let mut all = Dispatches::default();
        assert_eq!(all.to_text(), None);
        for n in 0..20 {
            all.push(dispatch(n, "connection\trefused\n"));
        }
        let places: Vec<u32> = all.kept().iter().map(|d| d.took_ms).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(all.left_out(), 4);
        let text = all.to_text().unwrap();
        assert!(text.contains("connection refused") && text.len() < 1_000, "{text}");
        assert_eq!(Dispatches::from_text(&text), Some(all));
        for wrong in ["", "x\n", "0\n1\t2\tbusy\tone", "0\n1\t2\tgone\tone\t", "0\n1\t-2\tbusy\tone\t"] {
            assert_eq!(Dispatches::from_text(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_cause_is_one_short_line() {
        let mut all = Dispatches::default();
        all.push(dispatch(1, &"é\n".repeat(500)));
        assert_eq!(all.kept()[0].cause.chars().count(), CAUSE_MAX);
        assert!(!all.kept()[0].cause.contains('\n'));
    }
}
