//! Spans on their way: a bounded list, and the task that sends it in batches.

use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::sleep,
};

/// Spans that may wait; beyond that they are dropped, and counted.
const QUEUE_MAX: usize = 4_096;
/// Spans sent at once at most.
const BATCH_MAX: usize = 512;
/// How long a span waits for company.
const GATHER: Duration = Duration::from_secs(1);

/// Spans that wait, and how many went where.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Vec<SpanData>>,
    enough: Notify,
    /// Taken by the collector.
    pub(crate) sent: AtomicU64,
    /// Lost: the queue was full, or the collector did not take them.
    pub(crate) dropped: AtomicU64,
}

impl Queue {
    /// Adds spans that belong together: all of them, or none if there is no room.
    pub(super) fn push(&self, spans: Vec<SpanData>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() + spans.len() > QUEUE_MAX {
            self.dropped.fetch_add(spans.len() as u64, Relaxed);
            return;
        }
        let before = waiting.len();
        waiting.extend(spans);
        let enough = before < BATCH_MAX && waiting.len() >= BATCH_MAX;
        drop(waiting);
        if enough {
            self.enough.notify_one();
        }
    }

    /// The oldest ones, as many as are sent at once.
    fn take(&self) -> Option<Vec<SpanData>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(BATCH_MAX);
        (count > 0).then(|| waiting.drain(..count).collect())
    }
}

/// Sends spans until stopped, and then what still waits. A batch that is not taken, after the few retries that OTLP
/// recommends, is lost: the queue would only fill behind it.
pub(super) async fn send(queue: Arc<Queue>, exporter: impl SpanExporter, mut stop: oneshot::Receiver<()>) {
    let mut heard = true;
    let mut stopping = false;
    while !stopping {
        stopping = tokio::select! {
            () = sleep(GATHER) => false,
            () = queue.enough.notified() => false,
            _ = &mut stop => true,
        };
        while let Some(batch) = queue.take() {
            let count = batch.len() as u64;
            match exporter.export(batch).await {
                Ok(()) => {
                    queue.sent.fetch_add(count, Relaxed);
                    if !heard {
                        tracing::info!("the collector takes spans again");
                    }
                    heard = true;
                }
                Err(error) => {
                    queue.dropped.fetch_add(count, Relaxed);
                    if heard {
                        tracing::warn!(%error, "spans are lost: the collector does not take them");
                    }
                    heard = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::{
        InstrumentationScope,
        trace::{SpanContext, SpanId, SpanKind, Status},
    };
    use opentelemetry_sdk::{
        error::{OTelSdkError, OTelSdkResult},
        trace::{SpanEvents, SpanLinks},
    };
    use std::time::SystemTime;

    fn spans(count: usize) -> Vec<SpanData> {
        let span = SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Server,
            name: "a".into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        };
        vec![span; count]
    }

    fn counts(queue: &Queue) -> (u64, u64) {
        (queue.sent.load(Relaxed), queue.dropped.load(Relaxed))
    }

    /// A collector that takes batches, or does not; it notes their sizes.
    #[derive(Clone, Debug)]
    struct Collector(Arc<Mutex<Vec<usize>>>, bool);

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().push(batch.len());
            if self.1 { Ok(()) } else { Err(OTelSdkError::InternalFailure("away".into())) }
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_whole_and_counted() {
        let queue = Queue::default();
        queue.push(spans(QUEUE_MAX - 1));
        queue.push(spans(2));
        assert_eq!(counts(&queue), (0, 2));
        queue.push(spans(1));
        assert_eq!(counts(&queue), (0, 2));
        queue.push(spans(1));
        assert_eq!(counts(&queue), (0, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn spans_go_in_batches_and_the_last_ones_at_the_stop() {
        for takes in [true, false] {
            let queue = Arc::new(Queue::default());
            let collector = Collector(Arc::default(), takes);
            let (stop, stopped) = oneshot::channel();
            let sending = tokio::spawn(send(Arc::clone(&queue), collector.clone(), stopped));
            queue.push(spans(3));
            sleep(GATHER / 2).await;
            assert!(collector.0.lock().unwrap().is_empty(), "they wait for company");
            sleep(GATHER).await;
            queue.push(spans(BATCH_MAX + 1));
            sleep(GATHER / 10).await;
            assert_eq!(*collector.0.lock().unwrap(), [3, BATCH_MAX, 1], "a full batch does not wait");
            queue.push(spans(2));
            stop.send(()).unwrap();
            sending.await.unwrap();
            assert_eq!(*collector.0.lock().unwrap(), [3, BATCH_MAX, 1, 2]);
            let all = BATCH_MAX as u64 + 6;
            assert_eq!(counts(&queue), if takes { (all, 0) } else { (0, all) });
        }
    }
}
