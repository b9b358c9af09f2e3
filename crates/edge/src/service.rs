//! What hyper calls for each request.

use crate::{Gauges, member::Member, unrouted::Ids};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode, Version, header::CONNECTION},
    routing::future::RouteFuture,
};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service as _;

/// The router, as one connection sees it.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    router: Router,
    member: Arc<Member>,
    gauges: Arc<Gauges>,
    ids: Option<Ids>,
    max_headers: usize,
}

impl Requests {
    pub(crate) fn new(
        router: Router,
        member: Arc<Member>,
        gauges: Arc<Gauges>,
        ids: Option<Ids>,
        max_headers: usize,
    ) -> Self {
        Self { router, member, gauges, ids, max_headers }
    }

    /// `Ok(true)`: answer this request and no other on its connection.
    fn admit(&self, request: &Request<Incoming>) -> Result<bool, StatusCode> {
        let last = if request.version() == Version::HTTP_2 {
            false
        } else {
            self.member.framing().hand_over(request.version(), request.headers()).map_err(|refusal| {
                self.gauges.badly_framed();
                tracing::debug!(%refusal, "request refused");
                StatusCode::BAD_REQUEST
            })?
        };
        if request.headers().len() > self.max_headers {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Ok(last)
    }

    fn refusal(&self, status: StatusCode) -> Option<Response<Body>> {
        let mut empty = Response::new(Body::empty());
        *empty.status_mut() = status;
        if let Some(ids) = &self.ids {
            ids.add_to(empty.headers_mut());
        }
        Some(empty)
    }
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.member.begin();
        let http1 = request.version() != Version::HTTP_2;
        let (work, last) = match self.admit(&request) {
            Ok(last) => (Work::Routed(self.router.clone().call(request)), last),
            Err(status) => (Work::Refused(self.refusal(status)), true),
        };
        Answering { work, running: Some(Arc::clone(&self.member)), http1, last }
    }
}

enum Work {
    Routed(RouteFuture<Infallible>),
    Refused(Option<Response<Body>>),
}

/// One request on its way to its answer.
pub(crate) struct Answering {
    work: Work,
    running: Option<Arc<Member>>,
    http1: bool,
    last: bool,
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = match &mut self.work {
            Work::Routed(future) => match Pin::new(future).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(response)) => response,
            },
            Work::Refused(response) => response.take().unwrap_or_default(),
        };
        let member = self.running.take();
        let stopping = member.as_ref().is_some_and(|member| member.is_stopping());
        // HTTP/2 has no such field (RFC 9113 §8.2.2); it is told by GOAWAY.
        if self.http1 && (self.last || stopping) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(member) = member {
            member.end();
        }
        Poll::Ready(Ok(response))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(member) = self.running.take() {
            member.end();
        }
    }
}
