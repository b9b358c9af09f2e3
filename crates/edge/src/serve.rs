//! The accept loop, and its end.

use crate::{
    Gauges, LimitError, Limits, Listener, Shutdown, Stage, TlsReloader,
    connection::Hub,
    member::{Order, Phase},
    roster::Roster,
};
use axum::Router;
use std::{io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::Semaphore,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout},
};

/// How stopping went, in connections that were open at the stop or waiting to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Closed of themselves: idle ones, and those whose last answer was written.
    pub finished: usize,
    /// Cut at the deadline.
    pub cut: usize,
}

/// What a plain client at the cap is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Between two tries of accepting after an error that will not go away by itself.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves `router` until `shutdown` is asked to stop, and then until the last connection has ended or
/// [`Limits::drain`] has passed.
///
/// Speaks HTTP/1.1 and HTTP/2, over TLS by ALPN and plain by prior knowledge. Errors only for a limit out of range, before
/// anything is accepted. If the future is dropped, every connection is cut.
pub async fn serve(
    listener: Listener,
    router: Router,
    tls: Option<TlsReloader>,
    limits: Limits,
    gauges: Arc<Gauges>,
    shutdown: Shutdown,
) -> Result<Report, LimitError> {
    limits.validate()?;
    let cap = limits.connection_cap();
    if cap < limits.connections {
        tracing::warn!(cap, wanted = limits.connections, "few descriptors: connection cap lowered");
    }
    let mut ticks = interval(limits.tick());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let door = Door {
        slots: Arc::new(Semaphore::new(cap)),
        cap,
        hub: Arc::new(Hub::new(router, tls, listener.ids(), limits, Arc::new(Roster::new(gauges)))),
    };
    let _guard = CutOnDrop(Arc::clone(&door.hub.roster));
    door.keep_open(&listener, &mut ticks, &shutdown).await;
    let (open, joined) = door.hub.roster.announce_stop();
    let stopped = Instant::now();
    door.take_in_the_queue(&listener).await;
    drop(listener);
    let cut = door.drain(&mut ticks, &shutdown, stopped).await;
    let late = door.hub.roster.joined() - joined;
    Ok(Report { finished: (open + late).saturating_sub(cut), cut })
}

struct CutOnDrop(Arc<Roster>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.command_all(Order::Cut);
    }
}

struct Door {
    hub: Arc<Hub>,
    slots: Arc<Semaphore>,
    cap: usize,
}

impl Door {
    async fn keep_open(&self, listener: &Listener, ticks: &mut Interval, shutdown: &Shutdown) {
        let mut stop = pin!(shutdown.reached(Stage::Draining));
        let mut warned: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                _ = ticks.tick() => self.hub.roster.sweep(&self.hub.limits),
                accepted = listener.accept() => match accepted {
                    Ok(stream) => self.admit(stream).await,
                    Err(error) if is_the_clients(&error) => {}
                    Err(error) => {
                        self.hub.roster.gauges.accept_failed();
                        if warned.is_none_or(|at| at.elapsed() > Duration::from_secs(5)) {
                            warned = Some(Instant::now());
                            tracing::warn!(%error, "cannot accept connections");
                        }
                        // Out of descriptors or memory: idle connections hold both. The newcomer keeps waiting in the
                        // kernel's queue, and asking again at once would only spin.
                        self.hub.roster.evict(self.batch());
                        sleep(PAUSE).await;
                    }
                },
            }
        }
    }

    /// How many connections are closed at a time to make room: few enough to spare the idle, and enough that looking
    /// through all of them costs a flood of newcomers next to nothing each.
    fn batch(&self) -> usize {
        (self.cap / 100).max(1)
    }

    async fn admit(&self, stream: TcpStream) {
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => Some(slot),
            Err(_) if self.hub.roster.evict(self.batch()) == 0 => None,
            Err(_) => timeout(self.hub.limits.refusal_wait, Arc::clone(&self.slots).acquire_owned())
                .await
                .ok()
                .and_then(Result::ok),
        };
        let Some(slot) = slot else { return self.refuse(&stream) };
        let phase = if self.hub.tls.is_some() { Phase::Handshake } else { Phase::FirstByte };
        let seat = self.hub.roster.join(phase, &self.hub.limits, slot);
        tokio::spawn(Arc::clone(&self.hub).attend(stream, seat));
    }

    fn refuse(&self, stream: &TcpStream) {
        self.hub.roster.gauges.refused();
        if self.hub.tls.is_none() {
            // If it does not fit into an empty socket buffer, nobody is there to read it.
            let _ = match &self.hub.ids {
                Some(ids) => stream.try_write(&ids.added(FULL)),
                None => stream.try_write(FULL),
            };
        }
    }

    /// Clients the kernel has already let in have sent their requests in good faith: closing the socket over them would
    /// reset their connections.
    async fn take_in_the_queue(&self, listener: &Listener) {
        for _ in 0..self.cap.max(4096) {
            match timeout(Duration::ZERO, listener.accept()).await {
                Ok(Ok(stream)) => self.admit(stream).await,
                Ok(Err(error)) if is_the_clients(&error) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// Waits for the last connection, and says how many had to be cut.
    async fn drain(&self, ticks: &mut Interval, shutdown: &Shutdown, stopped: Instant) -> usize {
        let Hub { limits, roster, .. } = &*self.hub;
        if !self.wait(ticks, shutdown, stopped + limits.lame_duck).await {
            roster.command_all(Order::Drain);
            self.wait(ticks, shutdown, stopped + limits.drain).await;
        }
        let cut = roster.command_all(Order::Cut);
        // Cutting is one poll away for every task; a task that does not even come to that must not hold the exit up.
        let _ = timeout(Duration::from_millis(100), roster.emptied()).await;
        cut
    }

    /// Waits until no connection is left (`true`), or until `deadline` or an order to cut.
    async fn wait(&self, ticks: &mut Interval, shutdown: &Shutdown, deadline: Instant) -> bool {
        let mut over = pin!(tokio::time::sleep_until(deadline));
        let mut cut = pin!(shutdown.reached(Stage::Cutting));
        let mut emptied = pin!(self.hub.roster.emptied());
        loop {
            tokio::select! {
                biased;
                () = &mut emptied => return true,
                () = &mut cut => return false,
                () = &mut over => return false,
                _ = ticks.tick() => self.hub.roster.sweep(&self.hub.limits),
            }
        }
    }
}

/// The one client went away between knocking and being let in; the next is not concerned.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
