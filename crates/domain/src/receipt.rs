//! What providers report of a message after they took it.

use crate::{dispatch::one_line, time::Timestamp};

/// How far a message has come, as its provider reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The provider has it.
    Accepted,
    /// It was handed to the carrier.
    Sent,
    /// It will not arrive.
    Undelivered,
    /// It has arrived.
    Delivered,
}

impl Stage {
    /// All of them, from the weakest word about a message to the strongest. That it arrived outweighs that it did not:
    /// of a text in several parts one may be lost, and a carrier may report too soon.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Sent, Self::Undelivered, Self::Delivered];

    /// The word in the store, on the wire and in figures.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Undelivered => "undelivered",
            Self::Delivered => "delivered",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.word() == word)
    }
}

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// When it came.
    pub at: Timestamp,
    /// What it says.
    pub stage: Stage,
    /// Why, in words of ours; empty if there is nothing to say.
    pub reason: String,
}

/// The reports about one message in the order in which they came: the first of each stage, so four at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts(Vec<Receipt>);

impl Receipts {
    /// Takes one in. `false` if there is one of its stage already: providers repeat themselves.
    pub fn note(&mut self, mut receipt: Receipt) -> bool {
        let new = self.first(receipt.stage).is_none();
        if new {
            receipt.reason = one_line(&receipt.reason);
            self.0.push(receipt);
        }
        new
    }

    /// The first of a stage.
    #[must_use]
    pub fn first(&self, stage: Stage) -> Option<&Receipt> {
        self.0.iter().find(|receipt| receipt.stage == stage)
    }

    /// How far the message has come, in whichever order that was reported.
    #[must_use]
    pub fn furthest(&self) -> Option<&Receipt> {
        Stage::ALL.into_iter().rev().find_map(|stage| self.first(stage))
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Receipt> {
        self.0.iter()
    }

    /// The form kept in the store: a line each. `None` for none.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let line = |Receipt { at, stage, reason }: &Receipt| {
            format!("{}\t{}\t{reason}\n", at.millis(), stage.word())
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(line).collect())
    }

    /// Reads it again; `None` if it is not that.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut read = Self::default();
        for line in text.lines() {
            let mut fields = line.splitn(3, '\t');
            let at = Timestamp::from_millis(fields.next()?.parse().ok()?);
            let stage = Stage::parse(fields.next()?)?;
            let reason = fields.next()?.to_owned();
            if !read.note(Receipt { at, stage, reason }) {
                return None;
            }
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(stage: Stage, at: i64) -> Receipt {
        Receipt { at: Timestamp::from_millis(at), stage, reason: "the\tphone\nis off".into() }
    }

    #[test]
    fn reports_may_come_in_any_order_and_twice() {
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 3, 1, 0]];
        for order in orders {
            let mut all = Receipts::default();
            for (n, place) in (0..).zip(order) {
                assert!(all.note(receipt(Stage::ALL[place], n)));
                assert!(!all.note(receipt(Stage::ALL[place], 99)), "a repetition changes nothing");
            }
            assert_eq!(all.furthest().unwrap().stage, Stage::Delivered, "{order:?}");
            let text = all.to_text().unwrap();
            assert_eq!(Receipts::from_text(&text), Some(all));
        }
        let mut lost = Receipts::default();
        assert_eq!(lost.to_text(), None);
        lost.note(receipt(Stage::Undelivered, 1));
        lost.note(receipt(Stage::Sent, 2));
        assert_eq!(lost.furthest().unwrap().reason, "the phone is off");
        for wrong in ["x", "1\tsent", "1\tlost\t", "1\tsent\t\n2\tsent\t"] {
            assert_eq!(Receipts::from_text(wrong), None, "{wrong:?}");
        }
    }
}
