//! The environment and the key ring of the store that is filled.

use domain::{id::EnvironmentId, time::Timestamp};
use secrets::{KeyRing, MasterKey};
use std::path::Path;
use store::{
    Store,
    postgres::Options,
    queries::{ReadDataKeys, ReadDirectory},
    sqlite::{DataFolder, Sqlite},
};

/// Reads them as a server would.
///
/// # Errors
/// One line. Also where a server is running, or none has run before.
pub(crate) async fn of(data: &Path, url: Option<&str>) -> Result<(EnvironmentId, KeyRing), String> {
    let now = Timestamp::from_millis(i64::try_from(loadgen::clock::unix_millis()).unwrap_or(i64::MAX));
    let folder = DataFolder::lock(data).map_err(|e| e.to_string())?;
    let store = match url {
        Some(url) => {
            let options = Options::parse(url, None).map_err(|e| e.to_string())?;
            Store::open_postgres(options, now).await.map_err(|e| e.to_string())?
        }
        None => Store::Sqlite(Sqlite::open(&folder, now, Box::new(|_| {})).map_err(|e| e.to_string())?),
    };
    let master = MasterKey::from_file(&data.join("master.key")).map_err(|e| e.to_string())?;
    let records = store.query(ReadDataKeys).await.map_err(|e| e.to_string())?;
    let directory = store.query(ReadDirectory).await.map_err(|e| e.to_string())?;
    store.close();
    let environment = directory.environments.iter().find(|e| e.name == "default");
    let environment = environment.ok_or("the store has no environment \"default\": start dev mode once")?;
    Ok((environment.id, KeyRing::open(&master, &records).map_err(|e| e.to_string())?))
}
