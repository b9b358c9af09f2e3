//! `/metrics`, on a listener of its own.

use super::{Metrics, store::Figures};
use crate::traces::Queue;
use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse as _,
    routing::get,
};
use edge::{Admission, Gauges};
use prometheus_client::{encoding::text::encode, registry::Registry};
use std::sync::Arc;
use store::Store;

/// The format that `encode` writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The route `/metrics` over what is counted here and what the store, the line, the listener and the log
/// keep.
pub(crate) fn router(
    metrics: Arc<Metrics>,
    store: Store,
    gauges: Arc<Gauges>,
    admission: Arc<Admission>,
    dropped_lines: Option<Arc<crate::logs::Lines>>,
    spans: Option<Arc<Queue>>,
) -> Router {
    let mut figures = Registry::with_prefix("countersign");
    figures.register_collector(Box::new(Figures { store, gauges, admission, dropped_lines, spans }));
    let figures = Arc::new(figures);
    Router::new().route(
        "/metrics",
        get(move || {
            let mut text = String::with_capacity(16 * 1024);
            let written = encode(&mut text, &metrics.registry).and_then(|()| encode(&mut text, &figures));
            std::future::ready(match written {
                // Each registry ends with the mark of the end; only the last one may stay.
                Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text.replacen("# EOF\n", "", 1)).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            })
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Reporter;
    use api::{RequestDone, Watch as _};
    use axum::http::Method;

    #[test]
    fn requests_are_counted_by_route_and_status_and_a_callers_method_makes_no_label() {
        let metrics = Arc::new(Metrics::new());
        let reporter = Reporter { metrics: Arc::clone(&metrics), traces: None };
        let invented = Method::from_bytes(b"BREW").unwrap();
        for (method, status) in
            [(&Method::GET, 404), (&Method::GET, 404), (&invented, 405), (&Method::GET, 418)]
        {
            let done = RequestDone {
                route: "/auth/factors/{id}",
                method,
                status,
                micros: 700,
                request_id: "-",
                trace: None,
            };
            reporter.on_request(&done);
        }
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        for line in [
            r#"countersign_http_requests_total{route="/auth/factors/{id}",method="GET",status="404"} 2"#,
            r#"countersign_http_requests_total{route="/auth/factors/{id}",method="GET",status="other"} 1"#,
            r#"countersign_http_requests_total{route="/auth/factors/{id}",method="other",status="405"} 1"#,
            r#"countersign_http_request_duration_seconds_bucket{le="0.0005",route="/auth/factors/{id}",method="GET"} 0"#,
            r#"countersign_http_request_duration_seconds_bucket{le="0.001",route="/auth/factors/{id}",method="GET"} 3"#,
            r#"countersign_verdicts_total{valid="false",reason="replay"} 0"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
