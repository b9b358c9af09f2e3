//! What is told of a request. Never the path as sent, its query, the body, a header or a secret.

use api::{RequestDone, Trace};
use app::{StepTimes, SystemClock};
use axum::http::Method;
use domain::time::Clock as _;
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{Sampler, SamplingDecision, ShouldSample as _, SpanData, SpanEvents, SpanLinks},
};
use secrets::Entropy;
use std::time::{Duration, Instant, SystemTime};

/// Bytes of a `tracestate` at most (W3C Trace Context §3.3.1.5: at least 512 should go on).
const STATE_MAX: usize = 512;

/// The headers of a caller's context.
struct Sent<'a>(Option<(&'a str, Option<&'a str>)>);

impl Extractor for Sent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let (parent, state) = self.0?;
        match key {
            "traceparent" => Some(parent),
            "tracestate" => state.filter(|state| state.len() <= STATE_MAX),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// A moment of the machine's steady clock, on its calendar.
struct Calendar {
    instant: Instant,
    time: SystemTime,
}

impl Calendar {
    fn now() -> Self {
        let millis = SystemClock.now().millis().unsigned_abs();
        Self { instant: Instant::now(), time: SystemTime::UNIX_EPOCH + Duration::from_millis(millis) }
    }

    fn of(&self, moment: Instant) -> SystemTime {
        let ago = self.instant.saturating_duration_since(moment);
        self.time.checked_sub(ago).unwrap_or(self.time)
    }
}

/// The spans of a request, its own first; `None` if it is not to be traced.
pub(super) fn of(done: &RequestDone<'_>, sampler: &Sampler, entropy: &dyn Entropy) -> Option<Vec<SpanData>> {
    let trace = done.trace?;
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Sent(trace.context));
    let parent = context.span().span_context().clone();
    let trace_id = if parent.is_valid() { parent.trace_id() } else { TraceId::from_bytes(drawn(entropy)?) };
    let name = name_of(done);
    let sampled = sampler.should_sample(Some(&context), trace_id, &name, &SpanKind::Server, &[], &[]);
    if sampled.decision != SamplingDecision::RecordAndSample {
        return None;
    }
    let calendar = Calendar::now();
    let own = |span_id, remote| {
        SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, remote, sampled.trace_state.clone())
    };
    let id = SpanId::from_bytes(drawn(entropy)?);
    let mut request = span(own(id, false), parent.span_id(), parent.is_remote(), name);
    request.span_kind = SpanKind::Server;
    request.start_time = calendar.of(trace.began);
    request.end_time = calendar.of(trace.began + Duration::from_micros(done.micros));
    request.attributes = told(done, &trace);
    if done.status >= 500 {
        request.status = Status::error("");
    }
    let mut spans = Vec::with_capacity(1 + trace.steps.len());
    spans.push(request);
    for times in trace.steps {
        let step = SpanId::from_bytes(drawn(entropy)?);
        spans.push(step_span(span(own(step, false), id, false, "store step".into()), times, &calendar));
    }
    Some(spans)
}

fn drawn<const N: usize>(entropy: &dyn Entropy) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes).ok().map(|()| bytes)
}

fn span(
    span_context: SpanContext,
    parent_span_id: SpanId,
    parent_span_is_remote: bool,
    name: String,
) -> SpanData {
    SpanData {
        span_context,
        parent_span_id,
        parent_span_is_remote,
        span_kind: SpanKind::Internal,
        name: name.into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("countersign").build(),
    }
}

/// How long it waited for the writer, and from there to the end of its batch's commit.
fn step_span(mut span: SpanData, times: &StepTimes, calendar: &Calendar) -> SpanData {
    let micros = |from: Instant, to: Instant| {
        i64::try_from(to.saturating_duration_since(from).as_micros()).unwrap_or(i64::MAX)
    };
    span.start_time = calendar.of(times.asked);
    span.end_time = calendar.of(times.ended);
    if let Some(begun) = times.begun {
        span.attributes = vec![
            KeyValue::new("countersign.queue_us", micros(times.asked, begun)),
            KeyValue::new("countersign.commit_us", micros(begun, times.ended)),
        ];
    }
    if !times.durable {
        span.status = Status::error("");
    }
    span
}

/// The methods that routes know; others are a caller's invention.
fn method_of(method: &Method) -> Option<&'static str> {
    ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"].into_iter().find(|known| method == *known)
}

fn name_of(done: &RequestDone<'_>) -> String {
    let method = method_of(done.method).unwrap_or("HTTP");
    if done.route.starts_with('/') { format!("{method} {}", done.route) } else { method.to_owned() }
}

fn told(done: &RequestDone<'_>, trace: &Trace<'_>) -> Vec<KeyValue> {
    let mut told = Vec::with_capacity(10);
    told.push(KeyValue::new("http.request.method", method_of(done.method).unwrap_or("_OTHER")));
    if done.route.starts_with('/') {
        told.push(KeyValue::new("http.route", done.route));
    }
    told.push(KeyValue::new("http.response.status_code", i64::from(done.status)));
    told.push(KeyValue::new("countersign.request_id", done.request_id.to_owned()));
    if let Some((environment, key)) = trace.caller {
        told.push(KeyValue::new("countersign.environment", environment.to_string()));
        told.push(KeyValue::new("countersign.key", key.to_string()));
    }
    if let Some(verdict) = trace.verdict {
        let word =
            if verdict.valid { "valid" } else { verdict.wrong.map_or("mismatch", |wrong| wrong.word()) };
        told.push(KeyValue::new("countersign.verdict", word));
        told.push(KeyValue::new("countersign.factor", verdict.factor.to_string()));
        told.push(KeyValue::new("countersign.challenge", verdict.challenge.to_string()));
        told.push(KeyValue::new("countersign.locked", verdict.locked));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrets::SystemEntropy;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn traced(ratio: f64, context: Option<(&str, Option<&str>)>, status: u16) -> Option<Vec<SpanData>> {
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
        let now = Instant::now();
        let steps = [StepTimes { asked: now, begun: None, ended: now, durable: false }];
        let trace = Trace { began: now, context, caller: None, verdict: None, steps: &steps };
        let method = Method::from_bytes(b"BREW").unwrap();
        let (route, request_id) = ("unmatched", "an id");
        let done = RequestDone { route, method: &method, status, micros: 1, request_id, trace: Some(trace) };
        of(&done, &sampler, &SystemEntropy)
    }

    #[test]
    fn the_caller_decides_what_is_traced_and_else_the_ratio() {
        for (ratio, parent, is_traced) in [
            (1.0, None, true),
            (0.0, None, false),
            (0.0, Some(PARENT), true),
            (1.0, Some(UNSAMPLED), false),
            (0.0, Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), false),
            (0.0, Some("nonsense"), false),
        ] {
            let spans = traced(ratio, parent.map(|parent| (parent, None)), 404);
            assert_eq!(spans.is_some(), is_traced, "{ratio} {parent:?}");
        }
    }

    #[test]
    fn state_goes_along_unless_it_is_too_long_to_keep() {
        let long = format!("a={}", "x".repeat(200));
        let longer = format!("{long},b={},c={}", "y".repeat(200), "z".repeat(200));
        for (state, kept) in [("a=b", "a=b"), (long.as_str(), long.as_str()), (longer.as_str(), "")] {
            let spans = traced(0.0, Some((PARENT, Some(state))), 200).unwrap();
            assert_eq!(spans[0].span_context.trace_state().header(), kept);
        }
    }

    #[test]
    fn an_invented_method_and_an_unknown_path_name_nothing_and_failures_are_marked() {
        let spans = traced(1.0, None, 503).unwrap();
        assert_eq!(spans[0].name, "HTTP");
        assert!(spans[0].attributes.contains(&KeyValue::new("http.request.method", "_OTHER")));
        assert!(spans[0].attributes.iter().all(|told| told.key.as_str() != "http.route"));
        let marks: Vec<_> = spans.iter().map(|span| span.status.clone()).collect();
        assert_eq!(marks, [Status::error(""), Status::error("")]);
        assert_eq!(traced(1.0, None, 404).unwrap()[0].status, Status::Unset);
    }
}
