//! Dev mode's test helpers (W15): the same keys and error shapes, outside the nine routes.

use api::extend;
use app::{App, Caller};
use axum::{
    Router,
    extract::Request,
    response::Response,
    routing::{MethodFilter, on},
};
use domain::refusal::FieldError;
use edge::read_body_limited;
use serde_json::{Map, Value, value::RawValue};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// Bytes of a body that are read.
const BODY_MAX: usize = 65_536;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What a helper is given.
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) caller: Caller,
    /// The query as sent.
    pub(crate) query: String,
    /// The body's members.
    pub(crate) body: Map<String, Value>,
}

/// A helper's outcome: a body for 200, nothing for 204, or what is wrong with a field.
pub(crate) type Outcome = Result<Option<Box<RawValue>>, FieldError>;

/// A helper.
pub(crate) type Helper = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// Adds the routes of helpers, each with its method and path.
pub(crate) fn add(
    mut router: Router,
    app: &App,
    helpers: Vec<(&'static str, &'static str, Helper)>,
) -> Router {
    for (method, path, helper) in helpers {
        let filter = if method == "GET" { MethodFilter::GET } else { MethodFilter::POST };
        let app = app.clone();
        let handler = move |request: Request| {
            let (app, helper) = (app.clone(), Arc::clone(&helper));
            async move { run(&app, request, helper).await.unwrap_or_else(|refused| *refused) }
        };
        router = router.route(path, on(filter, handler));
    }
    router
}

async fn run(app: &App, request: Request, helper: Helper) -> Result<Response, Box<Response>> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let (parts, body) = request.into_parts();
    let caller = extend::authenticate(app, &parts.headers)?;
    let not_json = || Box::new(extend::not_json(app));
    let bytes = read_body_limited(body, BODY_MAX, BODY_WITHIN).await.map_err(|_| not_json())?;
    let body = match serde_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Ok(extend::invalid(app, vec![FieldError::new("body", "must be a JSON object")])),
        Err(_) if bytes.is_empty() => Map::new(),
        Err(_) => return Err(not_json()),
    };
    Ok(match helper(Asked { caller, query, body }).await {
        Ok(None) => extend::no_content(app),
        Ok(Some(value)) => extend::json(app, 200, &value),
        Err(problem) => extend::invalid(app, vec![problem]),
    })
}
