//! What an engine counts about itself, for metrics.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Figures of an engine. All are totals since start unless said otherwise.
#[derive(Debug, Default)]
pub struct Figures {
    /// Commits.
    pub commits: AtomicU64,
    /// Steps in them.
    pub steps: AtomicU64,
    /// Microseconds spent in COMMIT, which is mostly the sync.
    pub commit_micros: AtomicU64,
    /// Commits by their time: at most 1, 4, 16, 64, 256 ms, and longer.
    pub commit_buckets: [AtomicU64; 6],
    /// Commits that failed, or whose outcome is unknown.
    pub failed_commits: AtomicU64,
    /// Batches that were rolled back and run again one by one.
    pub regrouped: AtomicU64,
    /// Steps run again because the server had rolled them back for the sake of others. PostgreSQL only.
    pub repeated: AtomicU64,
    /// Steps refused because the queue was full.
    pub refused: AtomicU64,
    /// Connections in use now. PostgreSQL only, as are the following.
    pub pool_in_use: AtomicU64,
    /// Times that a connection was asked for.
    pub pool_asked: AtomicU64,
    /// Microseconds spent waiting for one.
    pub pool_wait_micros: AtomicU64,
    /// Times that none came in time, or none could be opened.
    pub pool_refused: AtomicU64,
}

impl Figures {
    /// Counts a commit that took so long.
    pub(crate) fn committed(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.commit_micros.fetch_add(micros, Relaxed);
        let bucket = [1, 4, 16, 64, 256].iter().position(|ms| micros <= ms * 1000).unwrap_or(5);
        if let Some(count) = self.commit_buckets.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
    }
}
