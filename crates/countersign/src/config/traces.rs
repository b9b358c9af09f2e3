//! `[traces]`, and the variables that OpenTelemetry has for the same.

use super::file::TracesTable;
use crate::traces::Settings;
use axum::http::{Uri, uri::Scheme};

/// The variable of a collector, to which the path of each signal is added.
pub(super) const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The variable of the whole URL for traces.
pub(super) const COLLECTOR_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Where traces go, if anywhere: our own key goes before the standard variables.
///
/// # Errors
/// The name of what is wrong, and what it must be.
pub(super) fn settings(table: TracesTable) -> Result<Option<Settings>, (&'static str, String)> {
    let TracesTable { endpoint, sample_ratio, collector, collector_of_traces } = table;
    let (name, given) = match (endpoint, collector_of_traces, collector) {
        (Some(base), ..) => ("traces.endpoint", signal_url(&base)),
        (None, Some(url), _) => (COLLECTOR_OF_TRACES, checked(&url).map(|()| url)),
        (None, None, Some(base)) => (COLLECTOR, signal_url(&base)),
        (None, None, None) if sample_ratio.is_some() => {
            return Err(("traces.endpoint", "is missing beside `traces.sample_ratio`".into()));
        }
        (None, None, None) => return Ok(None),
    };
    let url = given.map_err(|problem| (name, problem))?;
    let sample_ratio = sample_ratio.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&sample_ratio) {
        return Err(("traces.sample_ratio", "must be 0 to 1".into()));
    }
    Ok(Some(Settings { url, sample_ratio }))
}

fn signal_url(base: &str) -> Result<String, String> {
    checked(base).map(|()| format!("{}/v1/traces", base.trim_end_matches('/')))
}

fn checked(url: &str) -> Result<(), String> {
    let wanted = || Err("must be a URL such as http://127.0.0.1:4318".into());
    let Ok(uri) = url.parse::<Uri>() else { return wanted() };
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), Some(_)) if *scheme == Scheme::HTTPS => {
            Err("must begin with http://: let a collector on this machine or in this network go on by https"
                .into())
        }
        (Some(scheme), Some(at)) if *scheme == Scheme::HTTP && !at.as_str().contains('@') => {
            if uri.query().is_none() { Ok(()) } else { wanted() }
        }
        _ => wanted(),
    }
}
