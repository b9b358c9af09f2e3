//! Which providers are asked for a number, and in which order.

use crate::{Patience, Provider, Sender};
use domain::{delivery::Delivery, phone::Prefix};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Messages at the one sender of dev mode at once.
const SINGLE_CONCURRENCY: usize = 64;

/// The providers for numbers that begin in one way.
pub struct Route {
    /// How they begin; the longest that fits decides. None: any number.
    pub prefix: Option<Prefix>,
    /// Who is asked, first to last.
    pub providers: Vec<Arc<Provider>>,
}

/// The routes.
pub struct Routing {
    routes: Vec<Route>,
    retry: Duration,
}

impl Routing {
    /// For how long a message that nobody could take now is tried again.
    pub const RETRY: Duration = Duration::from_secs(30);

    /// By routes; `retry` is how long a message that nobody could take now is tried again, within its challenge's life.
    #[must_use]
    pub fn new(routes: Vec<Route>, retry: Duration) -> Self {
        Self { routes, retry }
    }

    /// One sender for everything.
    #[must_use]
    pub fn only(name: &str, sender: Arc<dyn Sender>) -> Self {
        let provider = Provider::new(name, sender, SINGLE_CONCURRENCY, Patience::default());
        Self::new(vec![Route { prefix: None, providers: vec![Arc::new(provider)] }], Self::RETRY)
    }

    pub(crate) const fn retry(&self) -> Duration {
        self.retry
    }

    /// Who is asked for a message, first to last: in the order of the route, but after the others whoever got the last
    /// message to this number, and last of all whoever is put aside.
    pub(crate) fn order(&self, delivery: &Delivery, now: Instant) -> Vec<Arc<Provider>> {
        let digits =
            |route: &Route| route.prefix.as_ref().map_or(Some(0), |p| p.digits_matched(&delivery.to));
        let fitting = self.routes.iter().filter_map(|route| Some((digits(route)?, route)));
        let Some((_, route)) = fitting.max_by_key(|(digits, _)| *digits) else { return Vec::new() };
        let mut order = route.providers.clone();
        order.sort_by_key(|provider| {
            let again = delivery.last_provider.as_deref() == Some(provider.name());
            (!provider.is_fit(now), again)
        });
        order
    }
}
