//! The demo's own server: on a free loopback port, over a folder that goes away with it.

use crate::{
    commands::dev::furnish,
    house::{self, House},
    http_client,
    masters::Masters,
};
use anyhow::bail;
use api::Hooks;
use app::{ClockGuard, Options};
use edge::{Admission, Gauges, Limits, Listener, Shutdown};
use secrets::{ApiKeyText, Entropy as _, KeyMode, MasterKey, SystemEntropy};
use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    sync::Arc,
};

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    /// Makes it: new, under a name that nobody can foresee, for its owner only.
    fn make() -> anyhow::Result<Self> {
        let mut random = [0; 8];
        SystemEntropy.fill(&mut random)?;
        let path = std::env::temp_dir().join(format!("countersign-demo-{:016x}", u64::from_be_bytes(random)));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system clears its folder for temporary files too.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The server, until dropped.
pub(super) struct Stage {
    address: SocketAddr,
    key: ApiKeyText,
    shutdown: Shutdown,
    _folder: Folder,
}

impl Stage {
    /// Starts it.
    pub(super) async fn set() -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let masters = Masters::new(MasterKey::generate(&SystemEntropy)?, None);
        let lock = house::lock(&folder.0)?;
        let house =
            House::open(lock, None, Arc::new(masters), ClockGuard::system(), Options { lenient_keys: true })
                .await?;
        let key = ApiKeyText::generate(&SystemEntropy, KeyMode::Test)?;
        furnish(&house.app, &key).await?;
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), Listener::BACKLOG)?;
        let (address, shutdown) = (listener.address(), Shutdown::new());
        let admission = Admission::new(&Limits::default());
        let router = api::router(house.app.clone(), Hooks::default(), admission);
        let (gauges, stop) = (Arc::new(Gauges::default()), shutdown.clone());
        tokio::spawn(async move {
            // Nobody else calls this server; how it stops does not matter.
            let _ = edge::serve(listener, router, None, Limits::default(), gauges, stop).await;
            house.close();
        });
        Ok(Self { address, key, shutdown, _folder: folder })
    }

    /// Posts to it, and answers the body of a success.
    pub(super) async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        match http_client::post(self.address, path, self.key.reveal(), &body).await? {
            (200..=299, answer) => Ok(answer),
            (status, answer) => {
                let said = answer.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
                bail!("{status}: {said}")
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cut();
    }
}
