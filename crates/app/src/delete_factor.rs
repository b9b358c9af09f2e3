//! Deleting a factor: route 3, and an operator's command.

use crate::{App, Failure};
use domain::{environment::Scope, event::Actor, id::FactorId, refusal::Refusal};
use store::steps::delete_factor::DeleteFactor;

impl App {
    /// Deletes a factor for good. `reason` is an operator's.
    ///
    /// # Errors
    /// A failure.
    pub async fn delete_factor(
        &self,
        scope: Scope,
        actor: Actor,
        factor: FactorId,
        reason: Option<String>,
    ) -> Result<Result<(), Refusal>, Failure> {
        let now = self.now()?;
        self.store().step(DeleteFactor { scope, actor, now, factor, reason }).await
    }
}
