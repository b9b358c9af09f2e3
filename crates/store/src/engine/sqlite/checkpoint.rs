//! Checkpoints: the log is copied into the database from time to time, or it would grow without end.
//!
//! The bulk is copied by a thread of its own, beside commits, for copying and its syncs take many times as long as a
//! commit. What is committed meanwhile the writer copies itself, little enough to do between two batches; then the
//! whole log is in the database, and the next commit begins it anew.
//!
//! The log is not cut to nothing when the server stops, though the next start would be quicker for it: cutting is not synced, and a
//! beginning of the log that outlives a power cut by itself would be read as newer than the database.

use super::{OpenError, connection::open_checkpointer, soundness::Soundness};
use crossbeam_channel::{Receiver, Sender, bounded};
use rusqlite::{Connection, ErrorCode};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// When to copy, in pages of the log.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Copying begins. Pages that change again and again are copied once, so rarer is cheaper; but after a crash the
    /// log is read whole, and a start must not wait.
    begin: u32,
    /// The writer does not wait for the thread, and copies everything itself: the bound of the log.
    most: u32,
}

impl Bounds {
    /// 32 and 128 MiB.
    pub(super) const USUAL: Self = Self { begin: 16_384, most: 65_536 };
}

/// The writer's side.
pub(super) struct Checkpoints {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicU32>,
    bounds: Bounds,
    bulk: Bulk,
    ask: Sender<()>,
    done: Receiver<()>,
    soundness: Soundness,
}

/// How far the thread is.
#[derive(PartialEq)]
enum Bulk {
    NotAsked,
    UnderWay,
}

impl Checkpoints {
    /// Starts the thread, and has `writer` count the pages of its log.
    pub(super) fn start(
        writer: &mut Connection,
        path: &Path,
        bounds: Bounds,
        soundness: Soundness,
    ) -> Result<Self, OpenError> {
        let unusable = |e: String| OpenError::Unusable(path.to_owned(), e);
        let pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&pages);
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            counted.store(u32::try_from(pages).unwrap_or(0), Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(|e| unusable(e.to_string()))?;
        let connection = open_checkpointer(path)?;
        let (ask, asked) = bounded(1);
        let (finished, done) = bounded(1);
        let judged = soundness.clone();
        // It ends with the writer: without one to ask, the channel is closed.
        std::thread::Builder::new()
            .name("store-copier".into())
            .spawn(move || {
                while asked.recv().is_ok() {
                    copy(&connection, &judged);
                    if finished.send(()).is_err() {
                        break;
                    }
                }
            })
            .map_err(|e| unusable(format!("no thread for checkpoints: {e}")))?;
        Ok(Self { pages, bounds, bulk: Bulk::NotAsked, ask, done, soundness })
    }

    /// To be called between two batches.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        let pages = self.pages.load(Relaxed);
        if pages > self.bounds.most {
            copy(writer, &self.soundness);
        } else if self.bulk == Bulk::UnderWay && self.done.try_recv().is_ok() {
            self.bulk = Bulk::NotAsked;
            copy(writer, &self.soundness);
        } else if self.bulk == Bulk::NotAsked && pages > self.bounds.begin && self.ask.try_send(()).is_ok() {
            self.bulk = Bulk::UnderWay;
        }
    }
}

/// Copies what can be copied without waiting for anybody, and syncs the database.
fn copy(connection: &Connection, soundness: &Soundness) {
    let copied = connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)").and_then(|mut pragma| {
        // The answer is whether somebody stood in the way. Then it is tried again later.
        pragma.query_row([], |_| Ok(()))
    });
    match copied {
        Ok(()) => {}
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
        Err(e) => drop(soundness.judge("a checkpoint", &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sqlite::connection::open_writer;

    /// Commits one row after another, and answers how many pages the log had after each commit.
    fn sizes(bounds: Bounds, commits: usize, pause: impl Fn(&Checkpoints)) -> Vec<u32> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("countersign.db");
        let mut writer = open_writer(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (x INTEGER)").unwrap();
        let sound = Soundness::new(Box::new(|why| panic!("{why}")));
        let mut checkpoints = Checkpoints::start(&mut writer, &path, bounds, sound).unwrap();
        let mut sizes = Vec::new();
        for n in 0..commits {
            writer.execute("INSERT INTO t VALUES (?1)", [i64::try_from(n).unwrap()]).unwrap();
            sizes.push(checkpoints.pages.load(Relaxed));
            pause(&checkpoints);
            checkpoints.after_commit(&writer);
        }
        drop((writer, checkpoints));
        let rows: i64 =
            open_writer(&path).unwrap().query_row("SELECT count(*) FROM t", [], |r| r.get(0)).unwrap();
        assert_eq!(usize::try_from(rows).unwrap(), commits);
        sizes
    }

    #[test]
    fn the_log_begins_anew_once_the_thread_has_copied_it() {
        let wait_for_the_thread = |checkpoints: &Checkpoints| {
            while checkpoints.bulk == Bulk::UnderWay && checkpoints.done.is_empty() {
                std::thread::yield_now();
            }
        };
        let sizes = sizes(Bounds { begin: 8, most: u32::MAX }, 100, wait_for_the_thread);
        assert!(sizes.iter().all(|pages| *pages < 16), "{sizes:?}");
        assert!(sizes.windows(2).filter(|pair| pair[1] < pair[0]).count() > 4, "{sizes:?}");
    }

    #[test]
    fn a_log_beyond_its_bound_waits_for_nobody() {
        let sizes = sizes(Bounds { begin: u32::MAX, most: 8 }, 100, |_| {});
        assert!(sizes.iter().all(|pages| *pages < 16), "{sizes:?}");
    }
}
