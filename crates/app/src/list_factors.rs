//! Listing a user's factors: route 7.

use crate::{App, Failure};
use domain::{
    environment::{Environment, Scope},
    factor::Factor,
    id::FactorId,
    page::{Page, PageRequest},
    user_id::UserId,
};
use store::queries::ListFactors;

impl App {
    /// A page of a user's factors, without their secrets.
    ///
    /// # Errors
    /// A failure.
    pub async fn list_factors(
        &self,
        scope: Scope,
        environment: &Environment,
        user: UserId,
        page: PageRequest<FactorId>,
    ) -> Result<Page<Factor, FactorId>, Failure> {
        let verified_only = environment.settings.list_verified_only;
        self.store().query(ListFactors { scope, user, page, verified_only, ring: self.ring() }).await
    }
}
