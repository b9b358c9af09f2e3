//! Rules of the guard that said no.

use super::Labels;
use app::GuardWatch;
use domain::guard::{Hit, Rule};
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// How often each has, refusing the message or only recording it.
pub(crate) struct Hits(Family<Labels, Counter>);

fn labels(rule: Rule, enforced: bool) -> Labels {
    let mode = if enforced { "enforce" } else { "record" };
    vec![("rule", rule.word().to_owned()), ("mode", mode.to_owned())]
}

impl Hits {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let hits = Family::default();
        let help = "Text messages to which a rule of the guard said no: refused, or only recorded";
        registry.register("guard_hits", help, hits.clone());
        let hits = Self(hits);
        for rule in Rule::ALL {
            for enforced in [true, false] {
                drop(hits.0.get_or_create(&labels(rule, enforced)));
            }
        }
        hits
    }
}

impl GuardWatch for Hits {
    fn on_hit(&self, hit: &Hit) {
        self.0.get_or_create(&labels(hit.rule, hit.enforced)).inc();
    }
}
