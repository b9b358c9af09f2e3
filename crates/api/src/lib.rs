//! The wire: routes, bodies, refusals and the document that describes them.
//!
//! [`router`] answers the nine routes of W1, and one of W16, over an [`app::App`]. Everything a request says is turned into domain values
//! once, in the order of W6, and every outcome back into bytes once; nothing here decides about a verification.

mod body;
mod challenges;
mod docs;
pub mod extend;
mod factors;
mod fault;
mod fields;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hooks;
mod idempotency;
mod inbound;
mod openapi;
mod path;
mod pipeline;
mod query;
mod refusal;
mod reply;
mod request_id;
mod routes;
mod timeline;
mod wire;

use app::App;
use axum::{Router, extract::Request};
use edge::Admission;
use std::sync::Arc;

pub use hooks::{Hooks, RequestDone, Trace, Watch};
pub use openapi::openapi;

/// All routes over `app`: the nine of W1, the one of W16, and `/openapi.json` and `/docs`, which need no key.
///
/// Every other path is answered too, by 404 or 405 in the shape of W5. Routes added to the returned router go before
/// that, and are answered whatever the load; [`extend`] has what they need to look like these.
pub fn router(app: App, hooks: Hooks, admission: Arc<Admission>) -> Router {
    let server = Arc::new(pipeline::Server { app, hooks, admission });
    Router::new().fallback(move |request: Request| pipeline::answer(Arc::clone(&server), request))
}
