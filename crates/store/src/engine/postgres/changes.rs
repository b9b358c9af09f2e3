//! Learning what other nodes have changed as soon as it is committed. Nothing rests on it: whoever follows changes also
//! looks by itself now and then.

use super::{connection::Connection, open_error::reason, options::Options};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};

/// Sent in the transaction of a change, and delivered by its commit. Databases have channels of their own; that schemas of
/// one share it costs a look too many.
pub(super) const ANNOUNCE: &str = "NOTIFY countersign_changed";
const LISTEN: &str = "LISTEN countersign_changed";

/// Between two attempts to listen: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// A connection that hears nothing is asked so often whether it is still there, and given so long to answer.
const STILL_THERE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));

/// A connection of its own that listens, made anew when it is lost.
pub(super) struct Changes {
    told: Arc<Notify>,
    task: AbortHandle,
}

impl Changes {
    /// Starts to listen, on the current runtime.
    pub(super) fn follow(options: Options) -> Self {
        let told = Arc::new(Notify::new());
        let task = tokio::spawn(listen(options, Arc::clone(&told))).abort_handle();
        Self { told, task }
    }

    /// Waits until something has changed, or may have while nobody listened. One task at a time waits.
    pub(super) async fn next(&self) {
        self.told.notified().await;
    }

    pub(super) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.close();
    }
}

async fn listen(options: Options, told: Arc<Notify>) {
    let mut pause = PAUSE.0;
    loop {
        let why = match Connection::open_as_node(&options).await {
            Ok(connection) => match connection.client().batch_execute(LISTEN).await {
                Ok(()) => {
                    pause = PAUSE.0;
                    hear(&connection, &told).await
                }
                Err(e) => reason(&e),
            },
            Err(e) => e,
        };
        tracing::debug!("not listening to other nodes: {why}");
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Hears what is announced, until the connection is lost; why it was.
async fn hear(connection: &Connection, told: &Notify) -> String {
    // What was announced before is not repeated.
    told.notify_one();
    loop {
        match timeout(STILL_THERE.0, connection.heard().announced()).await {
            Ok(()) if connection.is_closed() => return "the connection is closed".into(),
            Ok(()) => told.notify_one(),
            Err(_) => match timeout(STILL_THERE.1, connection.client().batch_execute("")).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => return reason(&e),
                Err(_) => return "PostgreSQL keeps silent".into(),
            },
        }
    }
}
