//! Reading a challenge with all that happened to it (W16).

use crate::{App, Failure};
use domain::{environment::Scope, id::ChallengeId, timeline::ChallengeRecord};
use store::queries::FindChallenge;

impl App {
    /// What is kept of a challenge. There is no code in it, no secret and no number.
    ///
    /// # Errors
    /// A failure.
    pub async fn find_challenge(
        &self,
        scope: Scope,
        challenge: ChallengeId,
    ) -> Result<Option<ChallengeRecord>, Failure> {
        self.store().query(FindChallenge { scope, challenge }).await
    }
}
