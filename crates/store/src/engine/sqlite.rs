//! The embedded engine: SQLite in WAL mode, one writer thread with group commit, readers beside it.

mod backup;
mod checkpoint;
mod connection;
pub(crate) mod copying;
mod folder;
mod migrate;
mod queue;
mod reader;
mod soundness;
mod transaction;
mod writer;

pub use backup::{backup, check_backup};
pub use folder::{DataFolder, OpenError};
#[cfg(test)]
pub(crate) use migrate::MIGRATIONS;

use super::{Figures, confirmed};
use crate::{Failure, Query, Step, engine::sqlite::writer::Trail, timing};
use domain::time::Timestamp;
use secrets::KeyRing;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

/// Steps that may wait for the writer; beyond that, 503 at once.
pub const QUEUE_MAX: usize = 1_024;
/// Steps in one commit at most.
pub const BATCH_MAX: usize = 256;

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Sqlite {
    writer: writer::Writer,
    readers: reader::Readers,
    figures: Arc<Figures>,
    path: Arc<PathBuf>,
}

/// What the writer tells its owner when it can no longer be trusted: the process should end, and recover at start.
pub type OnFatal = Box<dyn Fn(&str) + Send + Sync>;

impl Sqlite {
    /// Opens the database of a data folder that this process has locked, migrating it if necessary.
    ///
    /// # Errors
    /// With a line for the operator: what is wrong with which file.
    pub fn open(folder: &DataFolder, now: Timestamp, on_fatal: OnFatal) -> Result<Self, OpenError> {
        let path = folder.database();
        let mut connection = connection::open_writer(&path)?;
        migrate::migrate(&mut connection, &path, now)?;
        connection::check(&connection, &path)?;
        // By now the database and its log are there, and nothing has been answered yet.
        folder.sync()?;
        let figures = Arc::new(Figures::default());
        let readers = reader::Readers::start(&path)?;
        let writer = writer::Writer::start(
            connection,
            path.clone(),
            Arc::clone(&figures),
            soundness::Soundness::new(on_fatal),
        )?;
        Ok(Self { writer, readers, figures, path: Arc::new(path) })
    }

    /// Hands the writer the key ring, from which on events can be chained. Until then a step that records one fails.
    pub fn begin_trail(&self, ring: KeyRing) -> Result<(), Failure> {
        self.writer.begin_trail(Trail { ring, end: None })
    }

    /// The writer's figures.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Steps waiting now.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.writer.depth()
    }

    /// Whether the writer can still be trusted.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.writer.is_sound()
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    pub(crate) async fn step<S: Step>(&self, step: S) -> Result<S::Out, Failure> {
        let asked = timing::now_if_asked();
        let answer = self.writer.submit(step, asked.is_some()).inspect_err(|_| {
            self.figures.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        let settled = confirmed(answer).await;
        if let Some(asked) = asked {
            let (durable, begun) =
                settled.as_ref().map_or((false, None), |(out, begun)| (out.is_ok(), *begun));
            timing::note(asked, begun, durable);
        }
        settled?.0
    }

    pub(crate) async fn query<Q: Query>(&self, query: Q) -> Result<Q::Out, Failure> {
        confirmed(self.readers.submit(query)?).await?
    }

    /// Lets the writer finish what waits, and ends it.
    pub fn close(&self) {
        self.writer.close();
    }
}
