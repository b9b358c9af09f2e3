//! One connection, from being accepted to being closed.

use crate::{
    Limits, TlsReloader,
    member::Order,
    roster::{Roster, Seat},
    service::Requests,
    unrouted::Ids,
    wire::Wire,
};
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{future::poll_fn, sync::Arc, task::Poll};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// What every connection of a listener needs.
pub(crate) struct Hub {
    pub(crate) limits: Limits,
    pub(crate) roster: Arc<Roster>,
    pub(crate) tls: Option<TlsReloader>,
    pub(crate) ids: Option<Ids>,
    router: Router,
    http: auto::Builder<TokioExecutor>,
}

impl Hub {
    pub(crate) fn new(
        router: Router,
        tls: Option<TlsReloader>,
        ids: Option<Ids>,
        limits: Limits,
        roster: Arc<Roster>,
    ) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            // Its clock starts at the end of the previous request, so it cannot tell a slow head from an idle
            // connection, and it is set up anew for each request. The sweep keeps both limits.
            .header_read_timeout(None)
            .max_buf_size(limits.head_bytes);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.h2_streams)
            .max_pending_accept_reset_streams(limits.h2_pending_resets)
            .max_local_error_reset_streams(limits.h2_local_resets)
            .max_header_list_size(limits.h2_header_list_bytes)
            .initial_stream_window_size(limits.h2_stream_window)
            .initial_connection_window_size(limits.h2_connection_window)
            .keep_alive_interval(limits.h2_ping_interval)
            .keep_alive_timeout(limits.h2_ping_timeout)
            .max_send_buf_size(64 * 1024);
        // Binds the state of the routes now rather than for each request.
        Self { limits, roster, tls, ids, router: router.with_state(()), http }
    }

    /// Serves one connection until it is closed.
    pub(crate) async fn attend(self: Arc<Self>, stream: TcpStream, seat: Seat) {
        // An answer is written at once and whole; waiting for more to send with it only delays it.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.speak(stream, &seat).await };
        match seat.member.unless_cut(tls.acceptor().accept(stream)).await {
            Some(Ok(stream)) => {
                seat.member.enter(crate::member::Phase::FirstByte);
                self.speak(stream, &seat).await;
            }
            Some(Err(error)) => {
                self.roster.gauges.tls_failed();
                tracing::debug!(%error, "TLS handshake failed");
            }
            None => self.roster.gauges.tls_failed(),
        }
    }

    async fn speak<S>(&self, stream: S, seat: &Seat)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let member = &seat.member;
        let wire =
            TokioIo::new(Wire::new(stream, Arc::clone(member), self.ids.clone(), self.limits.linger_bytes));
        let gauges = Arc::clone(&self.roster.gauges);
        let ids = self.ids.clone();
        let requests =
            Requests::new(self.router.clone(), Arc::clone(member), gauges, ids, self.limits.headers);
        let mut connection = std::pin::pin!(self.http.serve_connection(wire, requests));
        let mut draining = false;
        let ended = poll_fn(|cx| {
            match member.watch(cx) {
                Order::Cut => return Poll::Ready(None),
                Order::Drain if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                Order::Drain | Order::Serve => {}
            }
            connection.as_mut().poll(cx).map(Some)
        })
        .await;
        if let Some(Err(error)) = ended {
            tracing::trace!(%error, "connection ended early");
        }
    }
}
