//! The control socket: how commands work beside a running server.
//!
//! A Unix socket in the data folder, mode 0600, that only the folder's owner may use. One request a connection: a line
//! of JSON in, a line of JSON out.

mod answering;
mod asking;

pub(crate) use answering::{listen, remove, user_name};
pub(crate) use asking::ask;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs::File,
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

/// The socket's name in the data folder.
const NAME: &str = "control.sock";
/// Bytes of a request at most.
const REQUEST_MAX: u64 = 64 * 1024;

/// How a request ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ended {
    /// Done; what there is to show.
    Done(Value),
    /// Not done; why, for the operator.
    Refused(String),
}

/// A path to the socket that is short enough for the system (108 bytes), however long the folder's own is: through the
/// folder's descriptor, which must be kept open while the path is used.
fn reach(folder: &Path) -> io::Result<(File, PathBuf)> {
    let open = File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(NAME);
    Ok((open, path))
}
