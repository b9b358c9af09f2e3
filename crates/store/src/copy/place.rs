//! The two ends of a copy, whichever engine each has.

use super::{
    error::CopyError,
    row::Row,
    tables::{TABLES, Table},
};
use crate::{
    postgres::{self, copying as on_postgres},
    sqlite::{DataFolder, copying as on_sqlite},
};
use domain::time::Timestamp;
use std::{collections::HashMap, path::PathBuf};

/// Where a store is.
pub enum Address {
    /// In a data folder.
    Sqlite(PathBuf),
    /// In a PostgreSQL database.
    Postgres(Box<postgres::Options>),
}

impl Address {
    /// Its name for people, without a password.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(folder) => folder.display().to_string(),
            Self::Postgres(options) => options.name(),
        }
    }
}

/// How far a copy has come, by table.
#[derive(Default)]
pub(crate) struct Progress(pub(crate) HashMap<String, Reached>);

impl Progress {
    /// Reads the notes of the mark: of what it is a copy, and how far it came. A note that cannot be read counts as none;
    /// then the copy differs from its source, or does not fit in, and says so.
    pub(crate) fn of(notes: Vec<(String, i64, Vec<u8>)>) -> (Vec<u8>, Self) {
        let mut identity = Vec::new();
        let mut progress = Self::default();
        for (what, rows, last) in notes {
            if what == IDENTITY {
                identity = last;
            } else if let Some(last) = Row::from_bytes(&last) {
                progress.0.insert(what, Reached { rows: rows.unsigned_abs(), last });
            }
        }
        (identity, progress)
    }
}

/// How far it has come in a table.
#[derive(Clone)]
pub(crate) struct Reached {
    /// Rows that are there.
    pub(crate) rows: u64,
    /// The key of the last one, in the source's order.
    pub(crate) last: Row,
}

/// A store that nobody else writes while this lives.
pub(super) struct Place {
    pub(super) name: String,
    engine: Engine,
}

enum Engine {
    Sqlite(on_sqlite::Copying),
    Postgres(on_postgres::Copying),
}

impl Place {
    /// Opens a store to read it, on one snapshot.
    pub(super) async fn source(address: Address) -> Result<Self, CopyError> {
        let name = address.name();
        let engine = match address {
            Address::Sqlite(path) => {
                // Locking would make the folder.
                if !DataFolder::holds_database(&path) {
                    return Err(CopyError::NoStore(name));
                }
                on_sqlite::Copying::source(DataFolder::lock(&path)?)?.map(Engine::Sqlite)
            }
            Address::Postgres(options) => on_postgres::Copying::source(*options).await?.map(Engine::Postgres),
        };
        Ok(Self { engine: engine.ok_or_else(|| CopyError::NoStore(name.clone()))?, name })
    }

    /// Opens a store to write it, bringing it to this version's form. Answers what a copy that did not end has left.
    pub(super) async fn target(
        address: Address,
        now: Timestamp,
        identity: &[u8],
        restart: bool,
    ) -> Result<(Self, Option<Progress>), CopyError> {
        let name = address.name();
        let engine = match address {
            Address::Sqlite(path) => {
                Engine::Sqlite(on_sqlite::Copying::target(DataFolder::lock(&path)?, now)?)
            }
            Address::Postgres(options) => {
                Engine::Postgres(on_postgres::Copying::target(*options, now).await?)
            }
        };
        let mut place = Self { name, engine };
        let found = place.found().await?;
        let begun = match found {
            None => {
                for table in TABLES {
                    if !place.page(table, None, 1).await?.is_empty() {
                        return Err(CopyError::NotEmpty(place.name, table.name));
                    }
                }
                place.begin(identity).await?;
                None
            }
            Some(_) if restart => {
                place.empty(identity).await?;
                None
            }
            Some((of, _)) if of != identity => return Err(CopyError::OtherCopy(place.name)),
            Some((_, progress)) => Some(progress),
        };
        Ok((place, begun))
    }

    /// How many rows a table has.
    pub(super) async fn count(&mut self, table: &Table) -> Result<u64, CopyError> {
        Ok(match &mut self.engine {
            Engine::Sqlite(engine) => engine.count(table)?,
            Engine::Postgres(engine) => engine.count(table).await?,
        })
    }

    /// Rows after a key, in the engine's order of keys.
    pub(super) async fn page(
        &mut self,
        table: &Table,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, CopyError> {
        Ok(match &mut self.engine {
            Engine::Sqlite(engine) => engine.page(table, after, limit)?,
            Engine::Postgres(engine) => engine.page(table, after, limit).await?,
        })
    }

    /// The mark of a copy that did not end: of what, and how far it came.
    async fn found(&mut self) -> Result<Option<(Vec<u8>, Progress)>, CopyError> {
        Ok(match &mut self.engine {
            Engine::Sqlite(engine) => engine.found()?,
            Engine::Postgres(engine) => engine.found().await?,
        })
    }

    /// Marks an empty store: it is not opened by a server until the mark is gone.
    async fn begin(&mut self, identity: &[u8]) -> Result<(), CopyError> {
        match &mut self.engine {
            Engine::Sqlite(engine) => engine.begin(identity)?,
            Engine::Postgres(engine) => engine.begin(identity).await?,
        }
        Ok(())
    }

    /// Takes away what a copy has left, but its mark.
    async fn empty(&mut self, identity: &[u8]) -> Result<(), CopyError> {
        match &mut self.engine {
            Engine::Sqlite(engine) => engine.empty(identity)?,
            Engine::Postgres(engine) => engine.empty(identity).await?,
        }
        Ok(())
    }

    /// Writes rows, and with them how far the copy has come.
    pub(super) async fn put(
        &mut self,
        table: &Table,
        rows: &[Row],
        reached: &Reached,
    ) -> Result<(), CopyError> {
        match &mut self.engine {
            Engine::Sqlite(engine) => engine.put(table, rows, reached)?,
            Engine::Postgres(engine) => engine.put(table, rows, reached).await?,
        }
        Ok(())
    }

    /// The last step: takes the mark away.
    pub(super) async fn finish(&mut self) -> Result<(), CopyError> {
        match &mut self.engine {
            Engine::Sqlite(engine) => engine.finish()?,
            Engine::Postgres(engine) => engine.finish().await?,
        }
        Ok(())
    }
}

/// The name of the mark: a table with how far the copy has come. While it is there, no server opens the store.
pub(crate) const MARK: &str = "copying";
/// The row of the mark that says of what it is a copy. No table has this name.
pub(crate) const IDENTITY: &str = "";
