//! Values in and out of statements, the same for every engine.

use crate::Failure;

/// A parameter.
#[derive(Clone, Copy)]
pub enum Param<'a> {
    /// An integer.
    Int(i64),
    /// An integer, or none.
    MaybeInt(Option<i64>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Bytes, or none.
    MaybeBytes(Option<&'a [u8]>),
    /// Text.
    Text(&'a str),
    /// Text, or none.
    MaybeText(Option<&'a str>),
}

/// One row of an answer, as an engine shows it.
pub trait Columns {
    /// The integer in column `i`.
    ///
    /// # Errors
    /// When the column has another type; likewise below.
    fn int(&self, i: usize) -> Result<Option<i64>, Failure>;
    /// The bytes in column `i`.
    fn bytes(&self, i: usize) -> Result<Option<&[u8]>, Failure>;
    /// The text in column `i`.
    fn text(&self, i: usize) -> Result<Option<&str>, Failure>;
}

/// A type that one column is read into.
pub trait FromColumn: Sized {
    /// Reads column `i`.
    ///
    /// # Errors
    /// When the column is null where it must not be, or of another type or length.
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure>;
}

/// A type that a row is read into: a tuple of columns, in their order.
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// As its columns.
    fn from_row(row: &impl Columns) -> Result<Self, Failure>;
}

fn present<T>(value: Option<T>, i: usize) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::internal(format!("column {i} is null")))
}

impl FromColumn for i64 {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        present(row.int(i)?, i)
    }
}
impl FromColumn for u32 {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        Self::try_from(i64::from_column(row, i)?)
            .map_err(|_| Failure::internal(format!("column {i} is out of range")))
    }
}
impl FromColumn for Vec<u8> {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        present(row.bytes(i)?, i).map(<[u8]>::to_vec)
    }
}
impl FromColumn for String {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        present(row.text(i)?, i).map(str::to_owned)
    }
}
impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        let bytes = present(row.bytes(i)?, i)?;
        bytes
            .try_into()
            .map_err(|_| Failure::internal(format!("column {i} has {} bytes, not {N}", bytes.len())))
    }
}
impl FromColumn for Option<i64> {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        row.int(i)
    }
}
impl FromColumn for Option<Vec<u8>> {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        Ok(row.bytes(i)?.map(<[u8]>::to_vec))
    }
}
impl FromColumn for Option<String> {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        Ok(row.text(i)?.map(str::to_owned))
    }
}
impl<const N: usize> FromColumn for Option<[u8; N]> {
    fn from_column(row: &impl Columns, i: usize) -> Result<Self, Failure> {
        row.bytes(i)?.map(|_| <[u8; N]>::from_column(row, i)).transpose()
    }
}

macro_rules! tuple_from_row {
    ($($column:ident $i:tt),+) => {
        impl<$($column: FromColumn),+> FromRow for ($($column,)+) {
            fn from_row(row: &impl Columns) -> Result<Self, Failure> {
                Ok(($($column::from_column(row, $i)?,)+))
            }
        }
    };
}
tuple_from_row!(A 0);
tuple_from_row!(A 0, B 1);
tuple_from_row!(A 0, B 1, C 2);
tuple_from_row!(A 0, B 1, C 2, D 3);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
