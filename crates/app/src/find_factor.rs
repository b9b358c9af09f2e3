//! Reading a factor: route 2.

use crate::{App, Failure};
use domain::{environment::Scope, factor::Factor, id::FactorId};
use store::queries::FindFactor;

impl App {
    /// The factor, without its secrets.
    ///
    /// # Errors
    /// A failure.
    pub async fn find_factor(&self, scope: Scope, factor: FactorId) -> Result<Option<Factor>, Failure> {
        self.store().query(FindFactor { scope, factor, ring: self.ring() }).await
    }
}
