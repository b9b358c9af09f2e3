//! The audit trail: read, and checked link by link.

use super::{Operator, Outcome, line, request::WantedEvents};
use domain::id::{ChallengeId, EnvironmentId, FactorId};
use serde_json::{Value, json};
use std::collections::VecDeque;
use store::trail::{ChainEnd, Recorded};

/// Entries read at once.
pub(super) const PAGE: u32 = 1_000;
/// Entries shown at most.
const SHOWN_MAX: usize = 1_000;

fn shown(entry: &Recorded) -> Value {
    let detail = entry.detail.as_deref().and_then(|d| serde_json::from_str::<Value>(d).ok());
    json!({
        "seq": entry.seq,
        "id": entry.id.to_string(),
        "at": entry.at.to_string(),
        "event": entry.kind,
        "actor": entry.actor,
        "environment_id": entry.environment.map(|id| EnvironmentId::from_bytes(id).to_string()),
        "factor_id": entry.factor.map(|id| FactorId::from_bytes(id).to_string()),
        "challenge_id": entry.challenge.map(|id| ChallengeId::from_bytes(id).to_string()),
        "user_id": entry.user,
        "detail": detail,
    })
}

impl Operator {
    /// Walks the trail from a place in it. Answers its end, and where it is broken if it is.
    pub(super) async fn walk(
        &self,
        mut end: ChainEnd,
        mut each: impl FnMut(Recorded),
    ) -> Result<(ChainEnd, Option<i64>), String> {
        loop {
            let page = self.app.read_trail(end, PAGE).await.map_err(line)?;
            let is_last = page.end == end || page.broken_at.is_some();
            end = page.end;
            page.entries.into_iter().for_each(&mut each);
            if is_last {
                return Ok((end, page.broken_at));
            }
        }
    }

    pub(super) async fn list_events(&self, wanted: &WantedEvents) -> Outcome {
        let environment = wanted.environment.as_deref().map(|e| self.environment(Some(e))).transpose()?;
        let factor = wanted.factor.as_deref().map(|f| FactorId::parse(f).ok_or("--factor is no factor's id"));
        let factor = factor.transpose()?;
        let most = wanted.limit.clamp(1, SHOWN_MAX);
        let mut newest = VecDeque::with_capacity(most);
        let fits = |entry: &Recorded| {
            environment.as_ref().is_none_or(|e| entry.environment.as_ref() == Some(e.id.bytes()))
                && factor.is_none_or(|f| entry.factor.as_ref() == Some(f.bytes()))
                && wanted.event.as_ref().is_none_or(|kind| *kind == entry.kind)
                && wanted.user.as_ref().is_none_or(|user| entry.user.as_ref() == Some(user))
        };
        let (_, broken_at) = self
            .walk(ChainEnd::default(), |entry| {
                if fits(&entry) {
                    if newest.len() == most {
                        newest.pop_front();
                    }
                    newest.push_back(entry);
                }
            })
            .await?;
        match broken_at {
            None => Ok(newest.iter().map(shown).collect()),
            Some(at) => Err(broken(at)),
        }
    }

    pub(super) async fn verify_events(&self) -> Outcome {
        match self.walk(ChainEnd::default(), drop).await? {
            (end, None) => Ok(json!({ "whole": true, "events": end.seq })),
            (_, Some(at)) => Err(broken(at)),
        }
    }
}

pub(super) fn broken(at: i64) -> String {
    format!("the trail is broken at entry {at}: it or one before it was edited, moved or removed")
}
