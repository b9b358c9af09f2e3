//! Asking a listener to stop.

use std::sync::Arc;
use tokio::sync::watch;

/// How far stopping has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Serving.
    Running,
    /// No new connections; requests in flight are being answered.
    Draining,
    /// Whatever is left is cut.
    Cutting,
}

/// A handle that stops a listener. Clones stop the same one, and one handle may stop several.
#[derive(Debug, Clone)]
pub struct Shutdown {
    stage: Arc<watch::Sender<Stage>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A handle to a listener that runs.
    #[must_use]
    pub fn new() -> Self {
        Self { stage: Arc::new(watch::Sender::new(Stage::Running)) }
    }

    /// Stops accepting and drains. Asking again changes nothing.
    pub fn stop(&self) {
        self.raise(Stage::Draining);
    }

    /// Cuts what is left at once, without waiting for the deadline.
    pub fn cut(&self) {
        self.raise(Stage::Cutting);
    }

    /// How far stopping has got.
    #[must_use]
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Waits until stopping has got at least so far.
    pub async fn reached(&self, stage: Stage) {
        // The sender lives in `self`, so the only error, a closed channel, cannot occur.
        let _ = self.stage.subscribe().wait_for(|now| *now >= stage).await;
    }

    fn raise(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let rises = stage > *now;
            if rises {
                *now = stage;
            }
            rises
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stopping_only_ever_goes_further() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.stage(), Stage::Running);
        shutdown.cut();
        shutdown.clone().stop();
        assert_eq!(shutdown.stage(), Stage::Cutting);
        shutdown.reached(Stage::Draining).await;
    }
}
