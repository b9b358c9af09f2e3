//! What a finished copy is held against: that every sealed value opens where it stands, and that the trail is whole.

use super::row::Row;
use crate::{
    Failure,
    columns::FromRow,
    remembered::answer_binding,
    steps::{delivery_binding, factor_binding},
    trail::{Chain, ToldRow},
};
use domain::id::FactorId;
use secrets::KeyRing;

/// Looks at rows, table by table.
pub(super) struct Check {
    ring: KeyRing,
    chain: Chain,
    told: Option<ToldRow>,
    /// Sealed values that opened.
    pub(super) opened: u64,
}

impl Check {
    pub(super) fn new(ring: &KeyRing) -> Self {
        Self { ring: ring.clone(), chain: Chain::new(ring.clone()), told: None, opened: 0 }
    }

    /// Looks at a row of a table.
    ///
    /// # Errors
    /// When its sealed value does not open, named by its row, or the row is not as rows of its table are.
    pub(super) fn row(&mut self, table: &str, row: &Row) -> Result<(), Unfit> {
        match table {
            "factor" => {
                type Factor = (
                    [u8; 16],
                    [u8; 16],
                    Option<String>,
                    String,
                    Option<String>,
                    Option<String>,
                    Option<Vec<u8>>,
                );
                let (id, environment, .., sealed) = Factor::from_row(row)?;
                self.open(&factor_binding(&environment, &id), sealed.as_deref(), || {
                    format!("factor {}", FactorId::from_bytes(id))
                })
            }
            "delivery" => {
                type Delivery = (
                    [u8; 16],
                    [u8; 16],
                    [u8; 16],
                    [u8; 16],
                    String,
                    i64,
                    String,
                    Option<i64>,
                    Option<String>,
                    Option<Vec<u8>>,
                );
                let (id, environment, factor, .., sealed) = Delivery::from_row(row)?;
                self.open(&delivery_binding(&environment, &id), sealed.as_deref(), || {
                    format!("a message of factor {}", FactorId::from_bytes(factor))
                })
            }
            "remembered_answer" => {
                let (seq, digest, environment, _, _, sealed) =
                    <(i64, [u8; 32], [u8; 16], i64, i64, Vec<u8>)>::from_row(row)?;
                self.open(&answer_binding(&environment, &digest), Some(&sealed), || {
                    format!("remembered answer {seq}")
                })
            }
            "event" => Ok(self.chain.follow(row)?),
            "trail_end" => {
                let (_, seq, mac, proof) = <(i64, i64, [u8; 32], [u8; 32])>::from_row(row)?;
                self.told = Some((seq, mac, proof));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        binding: &secrets::Binding<'_>,
        sealed: Option<&[u8]>,
        what: impl FnOnce() -> String,
    ) -> Result<(), Unfit> {
        let Some(sealed) = sealed else { return Ok(()) };
        self.ring.open_sealed(binding, sealed).map_err(|e| Unfit::Sealed(format!("{}: {e}", what())))?;
        self.opened += 1;
        Ok(())
    }

    /// The number of the trail's last entry, and where the trail is broken if it is.
    pub(super) fn trail(self) -> (i64, Option<i64>) {
        self.chain.end(self.told)
    }
}

/// What is wrong with a row.
pub(super) enum Unfit {
    Sealed(String),
    Failed(Failure),
}

impl From<Failure> for Unfit {
    fn from(e: Failure) -> Self {
        Self::Failed(e)
    }
}
