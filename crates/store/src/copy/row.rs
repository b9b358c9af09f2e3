//! Rows of any table, as they are: nothing in them is read or made anew on the way.

use super::tables::Table;
use crate::{Failure, columns::Columns};
use secrets::KeyRing;

/// A value of a column. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
}

impl Cell {
    /// What it is, and its bytes.
    fn parts(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Null => (0, Vec::new()),
            Self::Int(n) => (1, n.to_be_bytes().to_vec()),
            Self::Bytes(bytes) => (2, bytes.clone()),
            Self::Text(text) => (3, text.clone().into_bytes()),
        }
    }

    fn of(kind: u8, bytes: &[u8]) -> Option<Self> {
        Some(match kind {
            0 => Self::Null,
            1 => Self::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
            2 => Self::Bytes(bytes.to_vec()),
            3 => Self::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
            _ => return None,
        })
    }
}

/// A row, or the key of one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<Cell>);

impl Row {
    /// Its key.
    pub(crate) fn key(&self, table: &Table) -> Self {
        Self(self.0.iter().take(table.key).cloned().collect())
    }

    /// As bytes, from which it can be read again.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for cell in &self.0 {
            let (kind, bytes) = cell.parts();
            out.push(kind);
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(&bytes);
        }
        out
    }

    /// Reads [`Row::to_bytes`].
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut cells = Vec::new();
        while let Some((kind, rest)) = bytes.split_first() {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            let (cell, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
            cells.push(Cell::of(*kind, cell)?);
            bytes = rest;
        }
        Some(Self(cells))
    }
}

impl Columns for Row {
    fn int(&self, i: usize) -> Result<Option<i64>, Failure> {
        match self.0.get(i) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Int(n)) => Ok(Some(*n)),
            _ => other(i),
        }
    }
    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, Failure> {
        match self.0.get(i) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Bytes(bytes)) => Ok(Some(bytes)),
            _ => other(i),
        }
    }
    fn text(&self, i: usize) -> Result<Option<&str>, Failure> {
        match self.0.get(i) {
            Some(Cell::Null) => Ok(None),
            Some(Cell::Text(text)) => Ok(Some(text)),
            _ => other(i),
        }
    }
}

fn other<T>(i: usize) -> Result<T, Failure> {
    Err(Failure::internal(format!("column {i} has another type")))
}

/// How many rows there are, and the sum of their keyed digests.
///
/// A sum, because it needs no order: rows have keys, so a table is a set, and PostgreSQL sorts texts as its collation
/// says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    high: u128,
    low: u128,
}

impl Sum {
    /// Adds a row.
    pub(crate) fn add(&mut self, ring: &KeyRing, row: &Row) {
        let digest = ring.digest("copied row", &[&row.to_bytes()]);
        let (high, low) = digest.as_bytes().split_at(16);
        let lane = |half: &[u8]| half.iter().fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
        self.rows += 1;
        self.high = self.high.wrapping_add(lane(high));
        self.low = self.low.wrapping_add(lane(low));
    }

    /// The sum, in hexadecimal digits.
    pub(crate) fn digits(&self) -> String {
        format!("{:032x}{:032x}", self.high, self.low)
    }

    /// The sum, as bytes.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.high.to_be_bytes(), self.low.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrets::{MasterKey, SystemEntropy};

    fn ring() -> KeyRing {
        let master = MasterKey::generate(&SystemEntropy).unwrap();
        KeyRing::create(&SystemEntropy, &master, 0).unwrap().0
    }

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            any::<i64>().prop_map(Cell::Int),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Cell::Bytes),
            ".{0,20}".prop_map(Cell::Text),
        ]
    }

    proptest! {
        #[test]
        fn a_row_is_read_back_from_its_bytes(cells in prop::collection::vec(cell(), 0..6)) {
            let row = Row(cells);
            prop_assert!(Row::from_bytes(&row.to_bytes()) == Some(row));
        }

        #[test]
        fn bytes_that_are_no_row_are_refused_or_are_one(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some(row) = Row::from_bytes(&bytes) {
                prop_assert_eq!(row.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn the_sum_tells_rows_apart_and_not_their_order() {
        let ring = ring();
        let sum = |rows: &[Row]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|row| sum.add(&ring, row));
            sum
        };
        let one = Row(vec![Cell::Text("a".into()), Cell::Null]);
        let two = Row(vec![Cell::Text("a".into()), Cell::Bytes(vec![])]);
        assert_eq!(sum(&[one.clone(), two.clone()]), sum(&[two.clone(), one.clone()]));
        assert_ne!(sum(&[one.clone(), one.clone()]), sum(&[one.clone(), two.clone()]));
        assert_ne!(sum(std::slice::from_ref(&one)), sum(std::slice::from_ref(&two)), "null is not empty");
        assert_ne!(
            sum(&[Row(vec![Cell::Text("ab".into()), Cell::Text("c".into())])]),
            sum(&[Row(vec![Cell::Text("a".into()), Cell::Text("bc".into())])])
        );
    }
}
