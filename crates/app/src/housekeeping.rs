//! What is done now and then: purges, and when keys were last used. In bites, so that verification does not notice.

use crate::{App, Failure};
use domain::{challenge::FINISHED_KEPT_SECONDS, environment::Scope, user_budget::SPAN_SECONDS};
use std::sync::atomic::Ordering::Relaxed;
use store::{
    remembered::REMEMBERED_SECONDS,
    steps::{
        api_keys::UseApiKeys,
        purge::{PurgeFinished, PurgeSends, PurgeUnverified},
    },
};

/// Rows of each kind in one bite.
const BITE: u32 = 500;
/// Keys noted in one step.
const KEYS_AT_ONCE: usize = 1_000;

impl App {
    /// Removes a bite of what is finished. Answers whether there may be more. `from` is where challenges begin that may
    /// still be there (zeros: from the oldest), and moves on.
    ///
    /// # Errors
    /// The store's.
    pub async fn purge_finished(&self, from: &mut [u8; 16]) -> Result<bool, Failure> {
        let now = self.now()?;
        let longest =
            self.index().environments.iter().map(|e| e.settings.totp_challenge_ttl).max().unwrap_or(0);
        // One bound for all challenges: the longest lifetime of any environment, then the day for which a finished
        // challenge keeps its answer. A shorter setting of today must not shorten yesterday's, hence at least a day.
        let challenges_before = now.minus_seconds(FINISHED_KEPT_SECONDS + longest.max(86_400));
        let purged = self
            .store()
            .step(PurgeFinished {
                challenges_from: *from,
                challenges_before,
                answers_before: now.minus_seconds(REMEMBERED_SECONDS),
                deliveries_before: now.minus_seconds(2 * SPAN_SECONDS),
                most: BITE,
            })
            .await?;
        *from = purged.challenges_from;
        Ok(purged.rows >= u64::from(BITE))
    }

    /// Forgets old sends, and removes factors that were never verified where an environment says so.
    ///
    /// # Errors
    /// The store's.
    pub async fn purge_environments(&self) -> Result<(), Failure> {
        let now = self.now()?;
        for environment in &self.index().environments {
            let scope = Scope::of_operator(environment);
            self.store().step(PurgeSends { scope, before: now.minus_seconds(SPAN_SECONDS) }).await?;
            let Some(age) = environment.settings.purge_unverified_after else { continue };
            let mut after = [0; 16];
            let before = now.minus_seconds(age);
            while let Some(last) =
                self.store().step(PurgeUnverified { scope, now, after, before, most: BITE }).await?
            {
                after = last;
            }
        }
        Ok(())
    }

    /// Writes when keys were last used, for those used since the last time.
    ///
    /// # Errors
    /// The store's; then it is tried again the next time.
    pub async fn note_used_keys(&self) -> Result<(), Failure> {
        let index = self.index();
        let used = index.by_digest.values().filter_map(|entry| {
            let at = entry.used_at.swap(0, Relaxed);
            (at > 0).then(|| (entry.key.id, domain::time::Timestamp::from_millis(at)))
        });
        let used: Vec<_> = used.collect();
        for some in used.chunks(KEYS_AT_ONCE) {
            self.store().step(UseApiKeys { used: some.to_vec() }).await?;
        }
        Ok(())
    }
}
