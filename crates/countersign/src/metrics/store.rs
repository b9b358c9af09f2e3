//! Figures that others keep, read when the page is asked for: the store, the line, the listener, the log, traces.

use super::read;
use crate::traces::Queue;
use edge::{Admission, Gauges};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};
use store::Store;

/// Upper ends of the buckets of commit times, in seconds; the last is open.
const COMMIT_ENDS: [f64; 6] = [0.001, 0.004, 0.016, 0.064, 0.256, f64::INFINITY];

/// Reads them.
pub(super) struct Figures {
    pub(super) store: Store,
    pub(super) gauges: Arc<Gauges>,
    pub(super) admission: Arc<Admission>,
    pub(super) dropped_lines: Option<Arc<crate::logs::Lines>>,
    pub(super) spans: Option<Arc<Queue>>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

fn counter(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(out.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    ConstGauge::new(value).encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

/// What only an engine with connections has.
fn pool(out: &mut DescriptorEncoder<'_>, figures: &store::Figures) -> fmt::Result {
    gauge(out, "store_pool_in_use", "Database connections in use", read(&figures.pool_in_use))?;
    counter(out, "store_pool_asked", "Times a database connection was asked for", read(&figures.pool_asked))?;
    let help = "Microseconds spent waiting for database connections";
    counter(out, "store_pool_wait_micros", help, read(&figures.pool_wait_micros))?;
    let help = "Times that no database connection came in time";
    counter(out, "store_pool_refused", help, read(&figures.pool_refused))?;
    let help = "Steps run again because the server had rolled them back for the sake of others";
    counter(out, "store_repeated", help, read(&figures.repeated))
}

impl Collector for Figures {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let out = &mut out;
        let figures = self.store.figures();
        gauge(out, "store_queue_depth", "Steps waiting", self.store.queue_depth() as u64)?;
        counter(
            out,
            "store_steps",
            "Steps committed; by commits it is the mean batch size",
            read(&figures.steps),
        )?;
        counter(out, "store_failed_commits", "Commits that failed", read(&figures.failed_commits))?;
        counter(out, "store_regrouped", "Batches rolled back and run one by one", read(&figures.regrouped))?;
        counter(out, "store_refused", "Steps refused because the queue was full", read(&figures.refused))?;
        if matches!(self.store, Store::Postgres(_)) {
            pool(out, figures)?;
        }
        let counts = figures.commit_buckets.iter().map(|count| count.load(Relaxed));
        let buckets: Vec<_> = COMMIT_ENDS.into_iter().zip(counts).collect();
        #[expect(clippy::cast_precision_loss, reason = "a sum of seconds")]
        let seconds = read(&figures.commit_micros) as f64 / 1_000_000.0;
        let help = "Time of a commit, most of which is the sync";
        let mut commits = out.encode_descriptor(
            "store_commit_duration",
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        commits.encode_histogram::<NoLabelSet>(seconds, read(&figures.commits), &buckets, None)?;
        let admission = &self.admission;
        gauge(out, "requests_in_work", "Requests worked on now", admission.in_work() as u64)?;
        gauge(out, "requests_in_line", "Requests waiting to be worked on", admission.in_line() as u64)?;
        let help = "Requests refused because there was more to do than could be done";
        counter(out, "requests_shed", help, admission.refused_total())?;
        let gauges = &self.gauges;
        gauge(out, "connections_open", "Connections open now", gauges.open_connections())?;
        counter(out, "connections_accepted", "Connections taken on", gauges.accepted_total())?;
        counter(out, "connections_refused", "Connections turned away at the cap", gauges.refused_total())?;
        counter(out, "connections_evicted", "Idle connections closed for others", gauges.evicted_total())?;
        counter(
            out,
            "connections_timed_out",
            "Connections closed at a time limit",
            gauges.timed_out_total(),
        )?;
        counter(out, "tls_failures", "TLS handshakes that failed", gauges.tls_failures_total())?;
        counter(out, "bad_framing", "Requests refused for their framing", gauges.bad_framing_total())?;
        let dropped = self.dropped_lines.as_ref().map_or(0, |d| d.dropped());
        counter(out, "log_lines_dropped", "Log lines dropped because their reader was slow", dropped)?;
        if let Some(spans) = &self.spans {
            counter(out, "spans_sent", "Spans that the collector took", read(&spans.sent))?;
            let help = "Spans lost because the collector was slow or away";
            counter(out, "spans_dropped", help, read(&spans.dropped))?;
        }
        Ok(())
    }
}
