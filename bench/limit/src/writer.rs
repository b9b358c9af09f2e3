//! The one durable write: a thread takes what has arrived, writes it in one transaction, syncs once, and then
//! answers all of it.
use rusqlite::{Connection, params};
use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, Sender, channel},
};
use tokio::sync::oneshot;

/// No transaction takes more than this.
const MOST_AT_ONCE: usize = 1024;

/// What is to be kept.
pub(crate) enum Write {
    Factor {
        id: i64,
        secret: [u8; 20],
    },
    Challenge {
        id: i64,
        factor: i64,
        expires_at: i64,
    },
    /// Use up a step of a factor; the answer says whether it was still unused.
    Use {
        factor: i64,
        step: i64,
        challenge: i64,
    },
}

type Job = (Write, oneshot::Sender<bool>);

/// The way to the writer.
pub(crate) struct Store(Sender<Job>);

impl Store {
    /// Returns once `write` is on disk: `Some(false)` if it changed nothing, `None` if the writer is gone.
    pub(crate) async fn durable(&self, write: Write) -> Option<bool> {
        let (done, wait) = oneshot::channel();
        self.0.send((write, done)).ok()?;
        wait.await.ok()
    }
}

/// Opens the file and starts the thread.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn start(path: PathBuf, extra: usize) -> rusqlite::Result<Store> {
    let db = Connection::open(path)?;
    db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA cache_size = -65536;
         CREATE TABLE IF NOT EXISTS factor (id INTEGER PRIMARY KEY, secret BLOB NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS challenge (id INTEGER PRIMARY KEY, factor INTEGER NOT NULL,
           expires_at INTEGER NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS used (factor INTEGER, step INTEGER, challenge INTEGER NOT NULL,
           PRIMARY KEY (factor, step)) STRICT, WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS event (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;",
    )?;
    let (jobs, arriving) = channel();
    std::thread::spawn(move || {
        if let Err(e) = write_all(&db, extra, &arriving) {
            eprintln!("mfa-limit: {e}");
            std::process::exit(1);
        }
    });
    Ok(Store(jobs))
}

fn write_all(db: &Connection, extra: usize, arriving: &Receiver<Job>) -> rusqlite::Result<()> {
    let event = "e".repeat(200);
    let mut answers = Vec::new();
    while let Ok(first) = arriving.recv() {
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        for (write, done) in std::iter::once(first).chain(arriving.try_iter()).take(MOST_AT_ONCE) {
            let changed = match write {
                Write::Factor { id, secret } => {
                    db.prepare_cached("INSERT INTO factor VALUES (?1, ?2)")?.execute(params![id, secret])?
                }
                Write::Challenge { id, factor, expires_at } => {
                    let mut insert = db.prepare_cached("INSERT INTO challenge VALUES (?1, ?2, ?3)")?;
                    insert.execute(params![id, factor, expires_at])?
                }
                Write::Use { factor, step, challenge } => {
                    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO used VALUES (?1, ?2, ?3)")?;
                    insert.execute(params![factor, step, challenge])?
                }
            };
            for _ in 0..extra {
                db.prepare_cached("INSERT INTO event (body) VALUES (?1)")?.execute(params![event])?;
            }
            answers.push((done, changed == 1));
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        for (done, changed) in answers.drain(..) {
            // Whoever asked may have hung up.
            let _ = done.send(changed);
        }
    }
    Ok(())
}
