//! Challenges: looked at.

use super::{Operator, Outcome, line};
use domain::{environment::Scope, id::ChallengeId};

impl Operator {
    pub(super) async fn show_challenge(&self, environment: Option<&str>, challenge: &str) -> Outcome {
        let scope = Scope::of_operator(&*self.environment(environment)?);
        let Some(id) = ChallengeId::parse(challenge) else {
            return Err("a challenge's id is `auth_challenge_` and 26 characters".into());
        };
        let found = self.app.find_challenge(scope, id).await.map_err(line)?;
        let now = self.app.now().map_err(line)?;
        found
            .map(|record| api::extend::challenge_timeline(&record, now))
            .ok_or_else(|| "there is no such challenge in this environment, or it was purged".into())
    }
}
