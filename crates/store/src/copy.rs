//! Copying a whole store into an empty one, of the same or the other engine.
//!
//! Rows go as they are, table by table and in bites; each bite is one transaction, which also notes how far it came. So a
//! copy that breaks off goes on where it was. Until it has been held against its source and checked, the target is
//! marked, and no server opens it.

mod check;
mod error;
pub(crate) mod place;
pub(crate) mod row;
mod tables;

pub use error::CopyError;
pub use place::Address;
pub use tables::{Kind, TABLES, Table};

use check::{Check, Unfit};
use domain::time::Timestamp;
use place::{Place, Reached};
use row::Sum;
use secrets::{KeyRing, MasterKey};

use crate::{Failure, columns::FromRow, queries::data_key_record};

/// Rows in one transaction.
const BITE: usize = 1_000;

/// What a copy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Copying rows.
    Copying,
    /// Holding the copy against its source.
    Checking,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it is doing.
    pub stage: Stage,
    /// With which table.
    pub table: &'static str,
    /// Rows done of it.
    pub done: u64,
    /// Rows it has.
    pub of: u64,
}

/// A table that was copied.
#[derive(Debug)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// The sum of the keyed digests of its rows, the same on both sides, in hexadecimal digits.
    pub digest: String,
}

/// What a finished copy came to.
#[derive(Debug)]
pub struct Report {
    /// The tables, in the order in which they were copied.
    pub tables: Vec<Copied>,
    /// Whether a copy that had broken off was ended.
    pub resumed: bool,
    /// Rows that this run wrote.
    pub written: u64,
    /// Sealed values, each of which opened.
    pub opened: u64,
    /// The number of the trail's last entry.
    pub last_event: i64,
    /// Where the trail is broken, if it is: in the source too, since both have the same rows.
    pub broken_at: Option<i64>,
}

/// Copies a store. `told` hears how far it is, once for each bite.
///
/// Nothing is written before the source has been opened and its key ring with `master`. The source is only read.
///
/// # Errors
/// One line: what is wrong with which end, and what to do.
pub async fn copy(
    from: Address,
    to: Address,
    master: &MasterKey,
    now: Timestamp,
    restart: bool,
    told: &mut (dyn FnMut(Step) + Send),
) -> Result<Report, CopyError> {
    let mut source = Place::source(from).await?;
    let ring = key_ring(&mut source, master).await?;
    let identity = identity(&mut source, &ring).await?;
    let (mut target, begun) = Place::target(to, now, &identity, restart).await?;
    let resumed = begun.is_some();
    let begun = begun.unwrap_or_default();
    let mut written = 0;
    for table in TABLES {
        written +=
            copy_table(&mut source, &mut target, table, begun.0.get(table.name).cloned(), told).await?;
    }
    let (tables, check) = compare(&mut source, &mut target, &ring, told).await?;
    let opened = check.opened;
    let (last_event, broken_at) = check.trail();
    target.finish().await?;
    Ok(Report { tables, resumed, written, opened, last_event, broken_at })
}

/// The source's key ring, opened.
async fn key_ring(source: &mut Place, master: &MasterKey) -> Result<KeyRing, CopyError> {
    let broken = |name: &str, e: Failure| CopyError::Broken(name.to_owned(), e);
    let mut records = Vec::new();
    if let Some(table) = tables::table("data_key") {
        let rows = source.page(table, None, BITE).await?;
        for row in &rows {
            let read = FromRow::from_row(row).and_then(data_key_record);
            records.push(read.map_err(|e| broken(&source.name, e))?);
        }
    }
    if records.is_empty() {
        return Err(CopyError::NoStore(source.name.clone()));
    }
    KeyRing::open(master, &records).map_err(|e| CopyError::KeyRing(source.name.clone(), e))
}

/// Which store this is, in which state: its data keys, and where its trail ends.
async fn identity(source: &mut Place, ring: &KeyRing) -> Result<Vec<u8>, CopyError> {
    let mut sum = Sum::default();
    for name in ["data_key", "trail_end"] {
        if let Some(table) = tables::table(name) {
            source.page(table, None, BITE).await?.iter().for_each(|row| sum.add(ring, row));
        }
    }
    Ok(sum.to_bytes())
}

/// Copies what is missing of a table. Answers how many rows that was.
async fn copy_table(
    source: &mut Place,
    target: &mut Place,
    table: &'static Table,
    mut reached: Option<Reached>,
    told: &mut (dyn FnMut(Step) + Send),
) -> Result<u64, CopyError> {
    let of = source.count(table).await?;
    let mut written = 0;
    loop {
        let done = reached.as_ref().map_or(0, |r| r.rows);
        told(Step { stage: Stage::Copying, table: table.name, done, of });
        let rows = source.page(table, reached.as_ref().map(|r| &r.last), BITE).await?;
        let Some(last) = rows.last() else { return Ok(written) };
        let there = Reached { rows: done + rows.len() as u64, last: last.key(table) };
        target.put(table, &rows, &there).await?;
        written += rows.len() as u64;
        reached = Some(there);
    }
}

/// Reads both stores from end to end: the same number of rows with the same sum, and a copy that is fit to be served.
async fn compare(
    source: &mut Place,
    target: &mut Place,
    ring: &KeyRing,
    told: &mut (dyn FnMut(Step) + Send),
) -> Result<(Vec<Copied>, Check), CopyError> {
    let mut check = Check::new(ring);
    let mut copied = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let wanted = summed(source, table, ring, &mut |_| {}, None).await?;
        let of = wanted.rows;
        let told = &mut |done| told(Step { stage: Stage::Checking, table: table.name, done, of });
        let sum = summed(target, table, ring, told, Some(&mut check)).await?;
        if sum != wanted {
            return Err(CopyError::Differs(target.name.clone(), table.name));
        }
        copied.push(Copied { table: table.name, rows: sum.rows, digest: sum.digits() });
    }
    Ok((copied, check))
}

async fn summed(
    place: &mut Place,
    table: &'static Table,
    ring: &KeyRing,
    told: &mut (dyn FnMut(u64) + Send),
    mut check: Option<&mut Check>,
) -> Result<Sum, CopyError> {
    let mut sum = Sum::default();
    let mut last = None;
    loop {
        told(sum.rows);
        let rows = place.page(table, last.as_ref(), BITE).await?;
        for row in &rows {
            sum.add(ring, row);
            let Some(check) = check.as_deref_mut() else { continue };
            check.row(table.name, row).map_err(|unfit| match unfit {
                Unfit::Sealed(what) => CopyError::Sealed(place.name.clone(), what),
                Unfit::Failed(e) => CopyError::Broken(format!("{}, table {}", place.name, table.name), e),
            })?;
        }
        match rows.last() {
            Some(row) => last = Some(row.key(table)),
            None => return Ok(sum),
        }
    }
}
