//! The guard on the money: which rules an environment has, and who hears of what they say.

use crate::App;
use domain::{
    environment::Environment,
    guard::{Hit, Rules},
    user_budget::SPAN_SECONDS,
};
use std::{collections::BTreeMap, sync::Arc};

/// The rules of all environments. The default asks nothing and counts nothing.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    /// Of environments that are named nowhere.
    pub usual: Arc<Rules>,
    /// By the environment's name.
    pub by_environment: BTreeMap<String, Arc<Rules>>,
    /// Of all amounts: three letters, or nothing without prices.
    pub currency: String,
    /// How long messages are kept for rehearsals, in days; at least for the 24 hours that limits look back.
    pub keep_days: u32,
}

impl Guards {
    /// The rules of an environment.
    #[must_use]
    pub fn of(&self, environment: &Environment) -> &Arc<Rules> {
        self.by_environment.get(&environment.name).unwrap_or(&self.usual)
    }

    /// How long messages are kept, in seconds.
    #[must_use]
    pub fn keep_seconds(&self) -> u32 {
        self.keep_days.saturating_mul(86_400).max(SPAN_SECONDS)
    }
}

/// Hears when a rule says no.
pub trait GuardWatch: Send + Sync {
    /// It said no to a message, which was refused if the rule is enforced.
    fn on_hit(&self, hit: &Hit);
}

/// Before there is one.
pub(crate) struct NobodyWatches;

impl GuardWatch for NobodyWatches {
    fn on_hit(&self, _: &Hit) {}
}

impl App {
    /// Says which rules there are, and who hears of them. Until then nothing is asked. Only the first call counts.
    pub fn guard_with(&self, guards: Guards, watch: Arc<dyn GuardWatch>) {
        drop(self.0.guards.set((guards, watch)));
    }

    /// The rules of all environments; `None` if nobody has said which, as in a command without a server.
    #[must_use]
    pub fn guards(&self) -> Option<&Guards> {
        self.0.guards.get().map(|(guards, _)| guards)
    }

    pub(crate) fn rules_of(&self, environment: &Environment) -> Arc<Rules> {
        self.0.guards.get().map(|(guards, _)| Arc::clone(guards.of(environment))).unwrap_or_default()
    }

    pub(crate) fn tell(&self, hits: &[Hit]) {
        let watch =
            self.0.guards.get().map_or(&NobodyWatches as &dyn GuardWatch, |(_, watch)| watch.as_ref());
        hits.iter().for_each(|hit| watch.on_hit(hit));
    }
}
