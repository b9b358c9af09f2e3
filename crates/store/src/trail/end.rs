//! Where the trail ends: by its last entry, and by the row that says so and proves it.

use crate::{
    Failure, Reads,
    columns::Param,
    statements::{LAST_EVENT, TRAIL_END},
};
use domain::time::Timestamp;
use secrets::KeyRing;

/// The end of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainEnd {
    /// The last entry's number; 0 before the first.
    pub seq: i64,
    /// Its mac; zeros before the first.
    pub mac: [u8; 32],
}

impl ChainEnd {
    /// What proves that the chain ended here: nobody makes it without the audit key, for this end or an earlier one.
    fn proof(&self, ring: &KeyRing) -> [u8; 32] {
        ring.audit_mac(&self.mac, &[b"end", &self.seq.to_be_bytes()])
    }
}

/// The row that says where the chain ends.
pub struct EndRow {
    end: ChainEnd,
    proof: [u8; 32],
}

impl EndRow {
    /// The row for an end.
    #[must_use]
    pub fn of(end: ChainEnd, ring: &KeyRing) -> Self {
        Self { end, proof: end.proof(ring) }
    }

    /// The parameters of `SET_TRAIL_END`.
    #[must_use]
    pub fn params(&self) -> [Param<'_>; 3] {
        [Param::Int(self.end.seq), Param::Bytes(&self.end.mac), Param::Bytes(&self.proof)]
    }
}

/// A row of `TRAIL_END`.
pub(crate) type ToldRow = (i64, [u8; 32], [u8; 32]);

/// What the row about the end says. It is there from the founding of the key ring on.
#[derive(PartialEq, Eq)]
pub(super) enum Told {
    /// The chain ends here.
    Ends(ChainEnd),
    /// The row is gone or forged; so many entries it spoke of.
    Nothing(i64),
}

impl Told {
    pub(super) fn by(row: Option<ToldRow>, ring: &KeyRing) -> Self {
        let (seq, mac, proof) = row.unwrap_or_default();
        let end = ChainEnd { seq, mac };
        if end.proof(ring) == proof { Self::Ends(end) } else { Self::Nothing(seq) }
    }
}

pub(super) async fn told_end<R: Reads>(reads: &mut R, ring: &KeyRing) -> Result<Told, Failure> {
    Ok(Told::by(reads.one::<ToldRow>(&TRAIL_END, &[]).await?, ring))
}

/// Where the next entry is appended, by the last entry there is and the end that was told.
///
/// That is after the end that was told, whether or not its entry is still there; and if nothing that can be trusted was
/// told, one number is left out. Either way what was tampered with before a start stays a break in the chain.
pub(crate) fn end_to_append_to(last: ChainEnd, told: Option<ToldRow>, ring: &KeyRing) -> ChainEnd {
    match Told::by(told, ring) {
        Told::Ends(end) if end.seq >= last.seq => end,
        Told::Ends(ChainEnd { seq, .. }) | Told::Nothing(seq) => {
            ChainEnd { seq: last.seq.max(seq) + 1, ..last }
        }
    }
}

/// As [`end_to_append_to`], read.
///
/// # Errors
/// The statements'.
pub(crate) async fn chain_end<R: Reads>(reads: &mut R, ring: &KeyRing) -> Result<ChainEnd, Failure> {
    let (last, _) = last_entry(reads).await?;
    let told = reads.one::<ToldRow>(&TRAIL_END, &[]).await?;
    Ok(end_to_append_to(last, told, ring))
}

/// The last entry that is there, and its time.
///
/// # Errors
/// The statement's.
pub(crate) async fn last_entry<R: Reads>(reads: &mut R) -> Result<(ChainEnd, Timestamp), Failure> {
    let last = reads.one::<(i64, i64, [u8; 32])>(&LAST_EVENT, &[]).await?;
    Ok(last
        .map_or_else(Default::default, |(seq, at, mac)| (ChainEnd { seq, mac }, Timestamp::from_millis(at))))
}
