//! Which providers are asked for a number, and in which order.

use crate::{Patience, Provider, Sender};
use domain::{delivery::Delivery, phone::Prefix};
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a number's last provider is remembered.
const RESEND_SPAN: Duration = Duration::from_secs(600);
/// For how many numbers. Beyond that a resend goes the usual way.
const REMEMBERED_MAX: usize = 20_000;
/// Messages at the one sender of dev mode at once.
const SINGLE_CONCURRENCY: usize = 64;

/// The providers for numbers that begin in one way.
pub struct Route {
    /// How they begin; the longest that fits decides. None: any number.
    pub prefix: Option<Prefix>,
    /// Who is asked, first to last.
    pub providers: Vec<Arc<Provider>>,
}

/// The routes, and who got the last message to a number.
pub struct Routing {
    routes: Vec<Route>,
    retry: Duration,
    recent: Mutex<HashMap<u64, (Arc<Provider>, Instant)>>,
    /// Numbers are remembered by a digest that nobody else can make.
    digest: RandomState,
}

impl Routing {
    /// For how long a message that nobody could take now is tried again.
    pub const RETRY: Duration = Duration::from_secs(30);

    /// By routes; `retry` is how long a message that nobody could take now is tried again, within its challenge's life.
    #[must_use]
    pub fn new(routes: Vec<Route>, retry: Duration) -> Self {
        Self { routes, retry, recent: Mutex::default(), digest: RandomState::new() }
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
        let last = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let last = recent.get(&self.key(delivery)).filter(|(_, at)| now < *at + RESEND_SPAN);
            last.map(|(provider, _)| Arc::clone(provider))
        };
        let mut order = route.providers.clone();
        order.sort_by_key(|provider| {
            let again = last.as_ref().is_some_and(|last| Arc::ptr_eq(last, provider));
            (!provider.is_fit(now), again)
        });
        order
    }

    /// This provider has got, or may have got, a message to the number.
    pub(crate) fn remember(&self, delivery: &Delivery, provider: &Arc<Provider>, now: Instant) {
        let key = self.key(delivery);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() >= REMEMBERED_MAX {
            recent.retain(|_, (_, at)| now < *at + RESEND_SPAN);
        }
        if recent.len() < REMEMBERED_MAX || recent.contains_key(&key) {
            recent.insert(key, (Arc::clone(provider), now));
        }
    }

    fn key(&self, delivery: &Delivery) -> u64 {
        self.digest.hash_one((delivery.environment.bytes(), delivery.to.reveal()))
    }
}
