//! Logs: one line an event to standard output, written by a thread of its own so that a slow pipe stalls no request.

mod lines;

use crate::usage::wrong;
pub(crate) use lines::Lines;
use lines::Writing;
use std::{fs::File, io, os::fd::AsFd as _, sync::Arc};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// For machines.
    #[default]
    Json,
    /// For people.
    Text,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("must be json or text".into()),
        }
    }
}

/// Logging, until dropped: then what waits is written.
pub(crate) struct Logs {
    _written_on_drop: Writing,
    pub(crate) lines: Arc<Lines>,
}

/// Whether `level` can be read.
///
/// # Errors
/// Says what it should be.
pub(crate) fn check_level(level: &str) -> Result<(), String> {
    EnvFilter::try_new(level)
        .map(drop)
        .map_err(|e| format!("{e}; use error, warn, info, debug, trace, or pairs such as info,request=warn"))
}

/// Starts logging. `RUST_LOG` wins over `level`.
///
/// # Errors
/// When the level cannot be read.
pub(crate) fn start(format: Format, level: &str) -> anyhow::Result<Logs> {
    let (name, level) = match std::env::var("RUST_LOG") {
        Ok(given) if !given.is_empty() => ("RUST_LOG", given),
        _ => ("log.level", level.to_owned()),
    };
    if let Err(problem) = check_level(&level) {
        return wrong(format!("{name}: {problem}"));
    }
    let filter = EnvFilter::try_new(level)?;
    // The descriptor itself: the standard library's handle would write line by line.
    let out: Box<dyn io::Write + Send> = match io::stdout().as_fd().try_clone_to_owned() {
        Ok(fd) => Box::new(File::from(fd)),
        Err(_) => Box::new(io::sink()),
    };
    let waiting = Arc::new(Lines::default());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Arc::clone(&waiting));
    let started = match format {
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        Format::Text => lines.with_ansi(crate::output::in_colour()).compact().try_init(),
    };
    started.map_err(|e| anyhow::anyhow!("logging cannot start: {e}"))?;
    Ok(Logs { _written_on_drop: Writing::start(Arc::clone(&waiting), out)?, lines: waiting })
}
