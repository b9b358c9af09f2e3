//! The listening socket.

use crate::unrouted::Ids;
use axum::http::HeaderValue;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, TcpStream};

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    ids: Option<Ids>,
}

impl Listener {
    /// The usual number of connections that may wait to be accepted.
    pub const BACKLOG: i32 = 1024;

    /// Listens on `address`, which may name port 0 for any free one; `backlog` connections may wait to be accepted.
    /// An address left behind in `TIME_WAIT` by an earlier run is taken over (`SO_REUSEADDR`). Must be called
    /// inside a tokio runtime.
    pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        let socket = TcpListener::from_std(socket.into())?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, ids: None })
    }

    /// Draws an `x-request-id` for each answer that no route gives, such as 400 to what is no HTTP.
    #[must_use]
    pub fn with_request_ids(self, draw: impl Fn() -> HeaderValue + Send + Sync + 'static) -> Self {
        Self { ids: Some(Ids::new(draw)), ..self }
    }

    pub(crate) fn ids(&self) -> Option<Ids> {
        self.ids.clone()
    }

    /// The address listened on, with its real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn accept(&self) -> io::Result<TcpStream> {
        self.socket.accept().await.map(|(stream, _)| stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_refused_and_a_free_one_is_told() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap(), Listener::BACKLOG).unwrap();
        assert_ne!(first.address().port(), 0);
        let again = Listener::bind(first.address(), Listener::BACKLOG).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
    }
}
