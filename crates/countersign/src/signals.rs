//! Signals: the first asks to stop, the second insists; SIGHUP reads the certificate again.

use edge::{Shutdown, TlsReloader};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that are listened to. Taken before anything is served, so that none is missed.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes them over from the system's defaults.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Acts on them until cancelled.
    pub(crate) async fn obey(mut self, shutdown: Shutdown, tls: Option<TlsReloader>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => stop(&shutdown, "SIGTERM"),
                _ = self.interrupt.recv() => stop(&shutdown, "SIGINT"),
                _ = self.hangup.recv() => reload(tls.as_ref()),
            }
        }
    }
}

fn stop(shutdown: &Shutdown, signal: &'static str) {
    if shutdown.stage() == edge::Stage::Running {
        tracing::info!(signal, "stopping: requests in flight are answered first");
        shutdown.stop();
    } else {
        tracing::warn!(signal, "stopping at once");
        shutdown.cut();
    }
}

fn reload(tls: Option<&TlsReloader>) {
    match tls.map(TlsReloader::reload) {
        None => tracing::info!("SIGHUP: there is no certificate to read again"),
        Some(Ok(())) => tracing::info!("SIGHUP: new connections get the certificate as it is now"),
        Some(Err(error)) => tracing::error!(%error, "SIGHUP: the certificate stays as it was"),
    }
}
