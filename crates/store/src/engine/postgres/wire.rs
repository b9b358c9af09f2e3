//! What a server says without being asked: warnings, and that something was announced.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
};
use tokio_postgres::{AsyncMessage, Connection};

/// What has been heard on a connection.
#[derive(Default)]
pub(super) struct Heard {
    /// The latest warning, in the server's words.
    warning: Mutex<Option<String>>,
    /// Told of every notification, and of the end.
    announced: Notify,
}

impl Heard {
    /// The latest warning since the last time.
    pub(super) fn take_warning(&self) -> Option<String> {
        self.warning.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits for a notification, if there has been none since the last time, or for the end of the connection.
    pub(super) async fn announced(&self) {
        self.announced.notified().await;
    }

    fn take_in(&self, message: AsyncMessage) {
        match message {
            AsyncMessage::Notice(notice) => {
                let text = format!("{} ({})", notice.message(), notice.code().code());
                tracing::warn!("PostgreSQL warns: {text}");
                *self.warning.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
            }
            AsyncMessage::Notification(_) => self.announced.notify_one(),
            _ => {}
        }
    }
}

/// Drives a connection until it ends. A warning is heard before the answer that it goes with.
pub(super) async fn drive<S, T>(mut wire: Connection<S, T>, heard: Arc<Heard>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| wire.poll_message(context)).await {
        match message {
            Ok(message) => heard.take_in(message),
            // Whoever uses the connection learns that it is gone.
            Err(e) => {
                tracing::debug!("a connection to PostgreSQL ended: {e}");
                break;
            }
        }
    }
    drop(wire);
    heard.announced.notify_one();
}
