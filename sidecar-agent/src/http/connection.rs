//! One connection: the TLS handshake, hyper, and the time that all of it may take.
//!
//! Each connection serves one request and is closed: nothing can sit idle, and a connection to the loopback costs a
//! scraper less than 0.1 ms. A stream of events is the one answer that may outlast `connection_timeout`; it ends with
//! its client, with the server, or when its client takes nothing for `write_timeout`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::access::{Certificate, Peer};
use super::guard::Guard;
use super::limits::Limits;
use super::patience::Patience;
use super::router::Router;
use super::web_config::Tls;

/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// Set once the answer is a stream of events.
#[derive(Clone, Default)]
pub(super) struct Streaming(Arc<AtomicBool>);

impl Streaming {
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Serves a connection that came over TCP.
pub(super) async fn tcp(stream: TcpStream, router: Router, guard: &Guard, limits: Limits) {
    let Some(tls) = guard.current().tls.clone() else {
        return serve(stream, router, Peer::Tcp(Certificate::None), limits).await;
    };
    let handshake = TlsAcceptor::from(Arc::clone(&tls.config)).accept(stream);
    match tokio::time::timeout(limits.header_timeout, handshake).await {
        Ok(Ok(stream)) => {
            let certificate = certificate(&tls, stream.get_ref().1.peer_certificates());
            serve(stream, router, Peer::Tcp(certificate), limits).await;
        }
        Ok(Err(error)) => tracing::debug!("a TLS handshake failed: {error}"),
        Err(_) => tracing::debug!("a TLS handshake took longer than {:?}", limits.header_timeout),
    }
}

/// The handshake has verified a certificate if there is one; here it is about the names in it.
fn certificate(tls: &Tls, chain: Option<&[rustls::pki_types::CertificateDer<'_>]>) -> Certificate {
    match chain.and_then(<[_]>::first) {
        None => Certificate::None,
        Some(leaf) if tls.allows(leaf) => Certificate::Verified,
        Some(_) => Certificate::NotAllowed,
    }
}

/// Serves a connection that came over the Unix socket.
pub(super) async fn unix(stream: UnixStream, router: Router, limits: Limits) {
    match stream.peer_cred() {
        Ok(peer) => serve(stream, router, Peer::Unix { uid: peer.uid() }, limits).await,
        Err(error) => tracing::debug!("a client of the Unix socket has no identity: {error}"),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router, peer: Peer, limits: Limits) {
    let streaming = Streaming::default();
    let service = TowerToHyperService::new(router);
    let with_peer = service_fn({
        let streaming = streaming.clone();
        move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(streaming.clone());
            service.call(request)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .keep_alive(false)
        .max_buf_size(limits.head_bytes)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Patience::new(stream, limits.write_timeout)), with_peer);
    tokio::pin!(served);
    let ended = match tokio::time::timeout(limits.connection_timeout, &mut served).await {
        Err(_) if streaming.begun() => served.await,
        Ok(ended) => ended,
        Err(_) => {
            return tracing::debug!("an HTTP connection took longer than {:?}", limits.connection_timeout);
        }
    };
    if let Err(error) = ended {
        // Clients send garbage, stall and go away: not worth more than this.
        tracing::debug!("an HTTP connection broke off: {error}");
    }
}
