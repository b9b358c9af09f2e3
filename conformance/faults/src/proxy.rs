//! Stands between a node and PostgreSQL and does to one connection at a time what networks do.
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex as Turns,
};

/// The message that commits: its kind and length come before the text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// What PostgreSQL says to it: done, and no transaction is open.
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I";

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// What is done to the connection that comes to it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends after so many bytes more of all connections in this direction.
    Cut(Way, usize),
    /// It stands still there for a while.
    Stall(Way, usize, Duration),
    /// It is silent from there on, and stays open.
    Silence(Way, usize),
    /// It ends after so many bytes of a COMMIT, 12 being all of it; the answer does not come through.
    InCommit(usize),
    /// The answer to a COMMIT takes so much longer.
    LateCommit(Duration),
    /// A COMMIT arrives, its answer does not, and the connection stays open.
    SilentCommit,
    /// A COMMIT does not arrive, and is answered as if it had: what a planted bug looks like.
    LieOfCommit,
}

type Armed = Arc<Mutex<Option<Fault>>>;

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    armed: Armed,
}

impl Proxy {
    /// Begins to pass on what comes, to the port `to`.
    ///
    /// # Errors
    /// Those of listening.
    pub(crate) async fn start(to: u16) -> Result<Proxy, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let armed = Armed::default();
        let arms = armed.clone();
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await {
                    tokio::spawn(connection(node, server, arms.clone()));
                }
            }
        });
        Ok(Proxy { port, armed })
    }

    /// Waits for the fault to have happened to a connection, and says whether it has within `limit`.
    pub(crate) async fn strike(&self, fault: Fault, limit: Duration) -> bool {
        let begun = std::time::Instant::now();
        *lock(&self.armed) = Some(fault);
        while lock(&self.armed).is_some() {
            if begun.elapsed() > limit {
                return lock(&self.armed).take().is_none();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        true
    }
}

fn lock(armed: &Armed) -> std::sync::MutexGuard<'_, Option<Fault>> {
    armed.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connection(node: TcpStream, server: TcpStream, armed: Armed) {
    let _ = (node.set_nodelay(true), server.set_nodelay(true));
    let (from_node, to_node) = node.into_split();
    let (from_server, to_server) = server.into_split();
    let (to_node, to_server) = (Turns::new(to_node), Turns::new(to_server));
    let quiet = AtomicBool::new(false);
    let up = Pipe { way: Way::Up, to: &to_server, back: &to_node, quiet: &quiet, armed: &armed };
    let down = Pipe { way: Way::Down, to: &to_node, back: &to_server, quiet: &quiet, armed: &armed };
    // Whichever ends first ends the connection.
    tokio::select! {
        () = up.run(from_node) => {}
        () = down.run(from_server) => {}
    }
}

struct Pipe<'a> {
    way: Way,
    to: &'a Turns<OwnedWriteHalf>,
    back: &'a Turns<OwnedWriteHalf>,
    /// Nothing comes through any more.
    quiet: &'a AtomicBool,
    armed: &'a Armed,
}

impl Pipe<'_> {
    async fn run(&self, mut from: OwnedReadHalf) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            let bytes = buffer.get(..n).unwrap_or_default();
            let goes_on = match self.fires(bytes) {
                None => self.pass(bytes).await,
                Some((fault, at)) => self.happens(fault, bytes, at).await,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Whether these bytes are the ones, and where among them.
    fn fires(&self, bytes: &[u8]) -> Option<(Fault, usize)> {
        let mut armed = lock(self.armed);
        if self.quiet.load(Relaxed) {
            return None;
        }
        let at = match armed.as_mut()? {
            Fault::Cut(way, left) | Fault::Stall(way, left, _) | Fault::Silence(way, left) => {
                if *way != self.way {
                    return None;
                }
                if *left >= bytes.len() {
                    *left -= bytes.len();
                    return None;
                }
                *left
            }
            _ if self.way == Way::Up => bytes.windows(COMMIT.len()).position(|w| w == COMMIT)?,
            _ => return None,
        };
        armed.take().map(|fault| (fault, at))
    }

    /// Whether the connection goes on.
    async fn happens(&self, fault: Fault, bytes: &[u8], at: usize) -> bool {
        let (before, after) = bytes.split_at(at.min(bytes.len()));
        match fault {
            Fault::Cut(..) => {
                self.pass(before).await;
                false
            }
            Fault::Stall(_, _, pause) => {
                self.pass(before).await;
                tokio::time::sleep(pause).await;
                self.pass(after).await
            }
            Fault::Silence(..) => {
                self.pass(before).await;
                self.quiet.store(true, Relaxed);
                true
            }
            Fault::InCommit(seen) => {
                self.quiet.store(true, Relaxed);
                self.write(self.to, before).await;
                self.write(self.to, after.get(..seen.min(after.len())).unwrap_or_default()).await;
                // The server has it, and may have done it, before the connection ends.
                tokio::time::sleep(Duration::from_millis(50)).await;
                false
            }
            Fault::LateCommit(pause) => {
                // Nothing else is on the way back then but the answer.
                let answers = self.back.lock().await;
                let passed = self.pass(bytes).await;
                tokio::time::sleep(pause).await;
                drop(answers);
                passed
            }
            Fault::SilentCommit => {
                self.pass(bytes).await;
                self.quiet.store(true, Relaxed);
                true
            }
            Fault::LieOfCommit => {
                self.quiet.store(true, Relaxed);
                self.write(self.back, COMMITTED).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                false
            }
        }
    }

    async fn pass(&self, bytes: &[u8]) -> bool {
        self.quiet.load(Relaxed) || self.write(self.to, bytes).await
    }

    async fn write(&self, to: &Turns<OwnedWriteHalf>, bytes: &[u8]) -> bool {
        to.lock().await.write_all(bytes).await.is_ok()
    }
}
