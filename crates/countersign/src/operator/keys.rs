//! The key ring, backup and migrations.

use super::{Operator, Outcome, factors::reason, line};
use crate::{housekeeping::OTHERS_EVERY, masters};
use domain::{event::Actor, time::Timestamp};
use serde_json::json;
use std::path::{Path, PathBuf};
use store::{Store, sqlite};

impl Operator {
    pub(super) async fn rotate_keys(&self, actor: Actor) -> Outcome {
        let key = self.app.rotate_keys(actor, &self.masters.current()).await.map_err(line)?;
        if self.app.is_shared() {
            // Until every node seals with it; before that, what they seal with the older one would be missed.
            tokio::time::sleep(app::KEY_SETTLES + OTHERS_EVERY * 2).await;
            self.app.reload_key_ring(&self.masters.current()).await.map_err(line)?;
        }
        let done = self.app.reseal(&|_| {}).await.map_err(|e| {
            format!("key {key} seals from now on, but what is there is not sealed anew ({e}); the next start goes on")
        })?;
        tracing::info!(key, rows = done.changed, "a new data key seals everything");
        Ok(json!({ "key": key, "rows_seen": done.seen, "rows_resealed": done.changed }))
    }

    pub(super) async fn rewrap_keys(&self, actor: Actor, file: &Path) -> Outcome {
        let new = masters::read(file, "the new key").map_err(line)?;
        let count = self.app.rewrap_keys(actor, &self.masters.current(), &new).await.map_err(line)?;
        let next = self.masters.exchange(new, file)?;
        Ok(json!({ "keys_rewrapped": count, "next": next }))
    }

    pub(super) async fn keys_status(&self) -> Outcome {
        let active = self.app.ring().active_seal_key();
        let keys = self.app.data_keys().await.map_err(line)?;
        let shown = |k: secrets::KeyRecord| {
            let state = match (k.retired, k.id == active.0) {
                (true, _) => "retired",
                (false, true) => "active",
                (false, false) => "in use",
            };
            let created_at = Timestamp::from_millis(k.created_at_ms).to_string();
            json!({ "key": k.id, "purpose": k.purpose.as_str(), "state": state, "created_at": created_at })
        };
        Ok(keys.into_iter().map(shown).collect())
    }

    pub(super) async fn backup(&self, target: PathBuf) -> Outcome {
        let Store::Sqlite(engine) = self.app.store() else {
            return Err(
                "a PostgreSQL database is backed up by its own tools, such as pg_dump or pg_basebackup"
                    .into(),
            );
        };
        let (database, file) = (engine.path().to_owned(), target.clone());
        let copy = tokio::task::spawn_blocking(move || sqlite::backup(&database, &file, &mut |_, _| {}));
        copy.await.map_err(line)??;
        let bytes = std::fs::metadata(&target).map_or(0, |m| m.len());
        Ok(json!({ "file": target.display().to_string(), "bytes": bytes }))
    }

    pub(super) async fn set_replay_floor(&self, actor: Actor, why: String) -> Outcome {
        let why = reason(why)?;
        let floor = self.app.set_replay_floor(actor, why, &|_| {}).await.map_err(line)?;
        tracing::warn!(until = %floor.until, factors = floor.factors, "a replay floor is set: no code of before it is accepted");
        Ok(json!({
            "no_code_before": floor.until.to_string(),
            "factors": floor.factors,
            "messages_cancelled": floor.messages_cancelled,
        }))
    }

    /// Opening the store has migrated it.
    pub(super) fn migrate(&self) -> Outcome {
        let database = match self.app.store() {
            Store::Sqlite(engine) => engine.path().display().to_string(),
            Store::Postgres(engine) => engine.name().to_owned(),
        };
        let folder = self.folder.display().to_string();
        Ok(json!({ "database": database, "migrated": true, "folder": folder }))
    }
}
