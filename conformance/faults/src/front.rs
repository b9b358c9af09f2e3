//! The nodes that callers ask, by turns.
use loadgen::wire::Api;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// One node or several, of one store.
pub(crate) struct Front {
    first: Arc<Api>,
    others: Vec<Arc<Api>>,
    turn: AtomicUsize,
}

impl Front {
    pub(crate) fn new(first: Arc<Api>, others: Vec<Arc<Api>>) -> Arc<Front> {
        Arc::new(Front { first, others, turn: AtomicUsize::new(0) })
    }

    /// The node whose turn it is.
    pub(crate) fn api(&self) -> &Arc<Api> {
        let turn = self.turn.fetch_add(1, Relaxed) % (self.others.len() + 1);
        turn.checked_sub(1).and_then(|at| self.others.get(at)).unwrap_or(&self.first)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Api>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}
