//! The command's side.

use super::{Ended, answering::user_name, reach};
use crate::{
    data_folder,
    house::{self, House},
    masters::Masters,
    operator::{Operator, Request},
    usage::wrong,
};
use anyhow::{Context as _, anyhow, bail};
use app::{ClockGuard, Options};
use domain::event::Actor;
use serde_json::Value;
use std::{io::ErrorKind, path::Path, sync::Arc};
use store::postgres::Options as Database;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// Has a request done: by the server that runs on the data folder, or else here, on the store directly: the database, or
/// that of the folder.
///
/// `masters` is asked for the master key only if it is needed.
///
/// # Errors
/// Why it was not done, for the operator.
pub(crate) async fn ask(
    folder: &Path,
    database: Option<Database>,
    masters: impl FnOnce() -> anyhow::Result<Masters>,
    request: Request,
) -> anyhow::Result<Value> {
    match connect(folder).await? {
        Some(stream) => by_server(stream, &request).await,
        None => directly(folder, database, masters()?, request).await,
    }
}

/// A connection to the server, if one runs.
async fn connect(folder: &Path) -> anyhow::Result<Option<UnixStream>> {
    let connected = match reach(folder) {
        Ok((_open, path)) => UnixStream::connect(&path).await,
        Err(e) => Err(e),
    };
    match connected {
        Ok(stream) => Ok(Some(stream)),
        // Nobody listens: no server has run here, or it was killed.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => wrong(format!(
            "the server on {} belongs to another user; run this as that user",
            folder.display()
        )),
        Err(e) => Err(e).with_context(|| format!("the server on {} cannot be reached", folder.display())),
    }
}

async fn by_server(mut stream: UnixStream, request: &Request) -> anyhow::Result<Value> {
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match serde_json::from_str(&answer) {
        Ok(Ended::Done(value)) => Ok(value),
        Ok(Ended::Refused(why)) => Err(anyhow!(why)),
        Err(_) => bail!("the server ended before it answered; look whether it was done"),
    }
}

async fn directly(
    folder: &Path,
    database: Option<Database>,
    masters: Masters,
    request: Request,
) -> anyhow::Result<Value> {
    // Dev mode's clock may have been moved, and its keys have no checksum; neither matters to commands.
    let is_dev = folder.join(data_folder::MASTER_KEY).exists();
    let clock = if is_dev { ClockGuard::movable(Box::new(app::SystemClock)) } else { ClockGuard::system() };
    let options = Options { lenient_keys: is_dev };
    let house = House::open(house::lock(folder)?, database, Arc::new(masters), clock, options).await?;
    let actor = Actor::Operator(user_name(rustix::process::getuid().as_raw()));
    let done = Operator::of(&house).execute(request, actor).await;
    house.close();
    done.map_err(|why| anyhow!(why))
}
