//! Listing a user's factors: route 7.

use crate::{App, Caller, Failure};
use domain::{
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
        caller: &Caller,
        user: UserId,
        page: PageRequest<FactorId>,
    ) -> Result<Page<Factor, FactorId>, Failure> {
        let (scope, verified_only) = (caller.scope(), caller.environment().settings.list_verified_only);
        self.store().query(ListFactors { scope, user, page, verified_only, ring: self.ring() }).await
    }
}
