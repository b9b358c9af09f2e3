//! The server's side.

use super::{Ended, NAME, REQUEST_MAX, reach};
use crate::operator::{Operator, Request};
use domain::event::Actor;
use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};

/// Requests at once.
const AT_ONCE: usize = 8;
/// How long a request may take to arrive, and an answer to be taken.
const LINE_WAIT: Duration = Duration::from_secs(5);

/// The listening socket.
pub(crate) struct Control(UnixListener);

/// Makes the socket in a folder that this process has locked; one that is there was left behind.
///
/// # Errors
/// The system's.
pub(crate) fn listen(folder: &Path) -> io::Result<Control> {
    remove(folder);
    let (_open, path) = reach(folder)?;
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(folder.join(NAME), fs::Permissions::from_mode(0o600))?;
    Ok(Control(listener))
}

/// Removes it.
pub(crate) fn remove(folder: &Path) {
    // What is not there needs no removing.
    drop(fs::remove_file(folder.join(NAME)));
}

impl Control {
    /// Answers requests until cancelled. What has begun by then goes on to its end.
    pub(crate) async fn serve(self, operator: Operator) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.0.accept().await {
                Ok((stream, _)) => {
                    let operator = operator.clone();
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, &operator).await {
                            tracing::warn!(%error, "a command's connection broke");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn answer(stream: UnixStream, operator: &Operator) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let own = rustix::process::geteuid().as_raw();
    if uid != own && uid != 0 {
        tracing::warn!(uid, "a command of another user was turned away");
        return Ok(());
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut bounded = BufReader::new(read.take(REQUEST_MAX));
    timeout(LINE_WAIT, bounded.read_line(&mut line))
        .await
        .map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
    let ended = match serde_json::from_str::<Request>(&line) {
        Err(e) => {
            Ended::Refused(format!("the server does not know this command ({e}); is it of another version?"))
        }
        Ok(request) => {
            let actor = Actor::Operator(user_name(uid));
            match operator.execute(request, actor).await {
                Ok(value) => Ended::Done(value),
                Err(why) => Ended::Refused(why),
            }
        }
    };
    let mut line = serde_json::to_string(&ended)?;
    line.push('\n');
    timeout(LINE_WAIT, write.write_all(line.as_bytes()))
        .await
        .map_err(|_| io::Error::from(ErrorKind::TimedOut))?
}

/// The name that the system has for a user, or `uid:` and the number.
pub(crate) fn user_name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid:{uid}"))
}
