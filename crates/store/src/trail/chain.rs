//! The chain over rows that are not read by a query.

use super::{ChainEnd, Row, ToldRow, end::Told, entry_of};
use crate::{
    Failure,
    columns::{Columns, FromRow},
};
use secrets::KeyRing;

/// The chain, followed row by row.
pub(crate) struct Chain {
    ring: KeyRing,
    /// After the links that hold.
    end: ChainEnd,
    /// The last entry's number.
    last: i64,
    is_broken: bool,
}

impl Chain {
    /// Before the first entry.
    pub(crate) fn new(ring: KeyRing) -> Self {
        Self { ring, end: ChainEnd::default(), last: 0, is_broken: false }
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// When it is no row of `event`.
    pub(crate) fn follow(&mut self, row: &impl Columns) -> Result<(), Failure> {
        let (entry, told) = entry_of(Row::from_row(row)?);
        self.last = told.seq;
        self.is_broken |= entry.link(&self.ring, &self.end) != told;
        if !self.is_broken {
            self.end = told;
        }
        Ok(())
    }

    /// The last entry's number, and the number at which the chain is broken, if it is; by what the row about its end
    /// says.
    pub(crate) fn end(&self, told: Option<ToldRow>) -> (i64, Option<i64>) {
        let is_whole = !self.is_broken && Told::by(told, &self.ring) == Told::Ends(self.end);
        (self.last, (!is_whole).then_some(self.end.seq + 1))
    }
}
