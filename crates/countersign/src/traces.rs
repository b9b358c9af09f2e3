//! Traces by OTLP over HTTP: one span a request, with one below it for each step of the store.
//!
//! Spans are made when the request has been answered, out of what was measured on the way; a request waits for nothing
//! here but a lock held for as long as it takes to put them into a list.

mod queue;
mod spans;

pub(crate) use queue::Queue;

use api::RequestDone;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{Sampler, SpanExporter as _},
};
use secrets::SystemEntropy;
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// How long a stop waits for the last spans to be taken.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The URL that spans are posted to.
    pub(crate) url: String,
    /// Which part of the requests is traced, 0 to 1, where the caller has not decided that.
    pub(crate) sample_ratio: f64,
}

/// The way of spans to the collector.
pub(crate) struct Traces {
    sampler: Sampler,
    queue: Arc<Queue>,
}

/// Ends it.
pub(crate) struct Farewell {
    stop: oneshot::Sender<()>,
    sending: JoinHandle<()>,
}

impl Traces {
    /// Starts a task that sends spans. Nothing is asked of the collector yet.
    ///
    /// # Errors
    /// What of the environment's `OTEL_…` variables does not fit.
    pub(crate) fn start(settings: &Settings) -> Result<(Self, Farewell), ExporterBuildError> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.url)
            .build()?;
        exporter.set_resource(&this_service());
        let queue = Arc::new(Queue::default());
        let (stop, stopped) = oneshot::channel();
        let sending = tokio::spawn(queue::send(Arc::clone(&queue), exporter, stopped));
        let ratio = Sampler::TraceIdRatioBased(settings.sample_ratio);
        let sampler = Sampler::ParentBased(Box::new(ratio));
        Ok((Self { sampler, queue }, Farewell { stop, sending }))
    }

    /// What waits, and what was lost.
    pub(crate) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// Hands on what is to be told of a request.
    pub(crate) fn record(&self, done: &RequestDone<'_>) {
        // Without randomness there is no id to tell it under; the request had its answer all the same.
        if let Some(spans) = spans::of(done, &self.sampler, &SystemEntropy) {
            self.queue.push(spans);
        }
    }
}

impl Farewell {
    /// Sends what waits, for as long as that is worth waiting for.
    pub(crate) async fn say(self) {
        let Self { stop, mut sending } = self;
        // A task that is gone has nothing left to send.
        let _ = stop.send(());
        if timeout(FAREWELL, &mut sending).await.is_err() {
            sending.abort();
            tracing::warn!("the last spans were not taken in time");
        }
    }
}

/// Who sends them: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` go before our own words.
fn this_service() -> Resource {
    let own = [
        KeyValue::new("service.name", "countersign"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let resource = Resource::builder_empty().with_attributes(own);
    let resource = resource.with_detector(Box::new(EnvResourceDetector::new()));
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}
