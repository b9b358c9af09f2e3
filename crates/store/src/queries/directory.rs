//! Environments, settings, API keys and data keys: few, and read whole.

use crate::{
    Failure, Query, Reads,
    statements::{LIST_API_KEYS, LIST_DATA_KEYS, LIST_ENVIRONMENTS, LIST_SETTINGS},
};
use domain::{
    environment::{ApiKey, Environment, Mode, Permissions},
    id::{ApiKeyId, EnvironmentId},
    settings::Settings,
    time::Timestamp,
};
use secrets::{KeyRecord, Purpose};

/// An API key's record with the digest that finds it.
#[derive(Clone, Debug)]
pub struct DirectoryRow {
    /// The digest.
    pub digest: [u8; 32],
    /// The record.
    pub key: ApiKey,
}

/// All environments and keys.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// In the order of their creation.
    pub environments: Vec<Environment>,
    /// In the order of their creation.
    pub keys: Vec<DirectoryRow>,
}

/// Reads them.
pub struct ReadDirectory;

impl Query for ReadDirectory {
    type Out = Directory;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Directory, Failure> {
        let mut environments = Vec::new();
        for (id, name, mode, client_id) in
            reads.many::<([u8; 16], String, String, String)>(&LIST_ENVIRONMENTS, &[]).await?
        {
            let mode = if mode == Mode::Live.word() { Mode::Live } else { Mode::Test };
            let id = EnvironmentId::from_bytes(id);
            environments.push(Environment { id, name, mode, client_id, settings: Settings::default() });
        }
        for (id, name, value) in reads.many::<([u8; 16], String, String)>(&LIST_SETTINGS, &[]).await? {
            // A limit that cannot be read refuses (I7): the server does not serve with a guess in its place.
            let environment = environments.iter_mut().find(|e| e.id.bytes() == &id);
            let set = environment.map(|e| e.settings.set(&name, &value));
            if !matches!(set, Some(Ok(()))) {
                return Err(Failure::internal(format!("the stored setting {name} cannot be read")));
            }
        }
        type Row =
            ([u8; 16], [u8; 16], String, String, [u8; 32], String, Option<i64>, Option<i64>, Option<i64>);
        let mut keys = Vec::new();
        for (id, environment, name, hint, digest, permissions, expires_at, revoked_at, last_used_at) in
            reads.many::<Row>(&LIST_API_KEYS, &[]).await?
        {
            let key = ApiKey {
                id: ApiKeyId::from_bytes(id),
                environment: EnvironmentId::from_bytes(environment),
                name,
                hint,
                permissions: Permissions::parse(&permissions).ok_or_else(|| {
                    Failure::internal("the stored permissions of an API key cannot be read")
                })?,
                expires_at: expires_at.map(Timestamp::from_millis),
                revoked_at: revoked_at.map(Timestamp::from_millis),
                last_used_at: last_used_at.map(Timestamp::from_millis),
            };
            keys.push(DirectoryRow { digest, key });
        }
        Ok(Directory { environments, keys })
    }
}

/// Reads the wrapped data keys.
pub struct ReadDataKeys;

impl Query for ReadDataKeys {
    type Out = Vec<KeyRecord>;

    async fn run<R: Reads>(&self, reads: &mut R) -> Result<Vec<KeyRecord>, Failure> {
        let rows = reads.many::<DataKeyRow>(&LIST_DATA_KEYS, &[]).await?;
        rows.into_iter().map(data_key_record).collect()
    }
}

/// A row of `data_key`.
pub(crate) type DataKeyRow = (u32, String, Vec<u8>, i64, i64);

/// The record that it is.
pub(crate) fn data_key_record(row: DataKeyRow) -> Result<KeyRecord, Failure> {
    let (id, purpose, wrapped, created_at_ms, retired) = row;
    let purpose =
        Purpose::parse(&purpose).ok_or_else(|| Failure::internal("a data key has an unknown purpose"))?;
    Ok(KeyRecord { id, purpose, wrapped, created_at_ms, retired: retired != 0 })
}
