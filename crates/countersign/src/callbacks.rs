//! `POST /countersign/callbacks/{provider}`: what providers report of the messages that they took.
//!
//! No API key opens it; each call has to be signed with the secret that its provider shares with us. Whoever cannot sign
//! learns nothing, not even which providers there are.

use crate::{metrics::Deliveries, providers::CALLBACKS};
use api::extend;
use app::{App, Failure};
use axum::{
    Router,
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue, Method, header},
    response::Response,
    routing::any,
};
use delivery::receipts::{About, Callback, Receiver, Report, Unread};
use domain::{receipt::Stage, time::Timestamp};
use edge::read_body_limited;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store::steps::note_receipt::{NoteReceipt, Noted};
use tokio::sync::Semaphore;

/// Bytes of a call's body. Providers send below one thousand.
const BODY_MAX: usize = 16 * 1024;
const BODY_WAIT: Duration = Duration::from_secs(5);
/// Calls at once. One beyond that is told to come again.
const AT_ONCE_MAX: usize = 256;
/// Those among them that wait for a message to be known.
const WAITING_MAX: usize = 64;
/// A provider may report before its own answer has reached us. Then its id for the message is not known yet, so it is
/// looked up again after these. Waiting here is better than sending the call away: not every provider comes again.
const AGAIN: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1_000),
    Duration::from_millis(2_500),
];

struct Callbacks {
    app: App,
    receivers: BTreeMap<String, Arc<dyn Receiver>>,
    figures: Arc<Deliveries>,
    at_once: Semaphore,
    waiting: Semaphore,
}

/// The route, if any provider calls back.
pub(crate) fn routes(
    app: &App,
    receivers: BTreeMap<String, Arc<dyn Receiver>>,
    figures: Arc<Deliveries>,
) -> Router {
    if receivers.is_empty() {
        return Router::new();
    }
    let (at_once, waiting) = (Semaphore::new(AT_ONCE_MAX), Semaphore::new(WAITING_MAX));
    let callbacks = Arc::new(Callbacks { app: app.clone(), receivers, figures, at_once, waiting });
    let answer = move |Path(provider): Path<String>, request: Request| {
        let callbacks = Arc::clone(&callbacks);
        async move { callbacks.answer(&provider, request).await }
    };
    Router::new().route(&format!("{CALLBACKS}{{provider}}"), any(answer))
}

/// The value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    all.next().filter(|_| all.next().is_none())?.to_str().ok()
}

impl Callbacks {
    async fn answer(&self, provider: &str, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            let mut response = extend::empty(&self.app, 405);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let Ok(_place) = self.at_once.try_acquire() else { return extend::empty(&self.app, 503) };
        let Ok(body) = read_body_limited(body, BODY_MAX, BODY_WAIT).await else {
            return extend::empty(&self.app, 413);
        };
        let Some((provider, receiver)) = self.receivers.get_key_value(provider) else {
            // Names that strangers make up are no labels.
            self.figures.receipt("", "refused");
            return extend::empty(&self.app, 403);
        };
        let read = receiver.read(&Callback {
            target: parts.uri.path_and_query().map_or("", |target| target.as_str()),
            query: parts.uri.query().unwrap_or_default(),
            header: &|name| only(&parts.headers, name),
            body: &body,
        });
        let (word, status) = match read {
            Err(Unread::Forged) => ("refused", 403),
            Err(Unread::Unreadable) => ("unreadable", 400),
            Err(Unread::Idle) => ("idle", 204),
            Ok(report) => {
                let stage = report.stage;
                match self.note(provider, report).await {
                    Ok(Noted::New(_)) => (stage.word(), 204),
                    Ok(Noted::Repeated) => ("repeated", 204),
                    // Answered like the others: a message that is not ours any more, or never was, is no reason to
                    // call again.
                    Ok(Noted::Unknown) => ("unknown", 204),
                    Err(error) => {
                        tracing::warn!(provider, %error, "a receipt could not be noted; its provider is told to come again");
                        ("failed", 503)
                    }
                }
            }
        };
        self.figures.receipt(provider, word);
        extend::empty(&self.app, status)
    }

    async fn note(&self, provider: &str, report: Report) -> Result<Noted, Failure> {
        let Report { about, message_id, stage, reason } = report;
        let again = matches!(about, About::Theirs(_));
        let step = |now: Timestamp| NoteReceipt {
            now,
            provider: provider.to_owned(),
            about: about.clone(),
            message_id: message_id.clone(),
            stage,
            reason: reason.clone(),
        };
        let came = self.app.now()?;
        let mut noted = self.app.store().step(step(came)).await?;
        if noted == Noted::Unknown && again {
            let Ok(_place) = self.waiting.try_acquire() else {
                return Err(Failure::busy("too many receipts wait for their messages"));
            };
            for wait in AGAIN {
                tokio::time::sleep(wait).await;
                noted = self.app.store().step(step(came)).await?;
                if noted != Noted::Unknown {
                    break;
                }
            }
        }
        if let Noted::New(delivery) = noted {
            tracing::info!(provider, %delivery, stage = stage.word(), reason, "reported");
            if stage == Stage::Delivered {
                let millis = came.millis().saturating_sub(delivery.created_at().millis());
                let took = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
                self.figures.delivered(provider, took);
            }
        }
        Ok(noted)
    }
}
