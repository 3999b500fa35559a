//! Connections and their limits: the only file that names axum and hyper, and the one that starts their tasks.
//!
//! Each connection serves one request and is closed: nothing can sit idle, and a connection to the loopback
//! costs a scraper less than 0.1 ms. A client has `header_timeout` to send its request's head and
//! `connection_timeout` for everything; when `connections` are open, further ones wait in the kernel's
//! backlog. No handler reads a request's body.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State as Extract;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::routes::{self, Reply};
use super::scrape::SCRAPE_TIMEOUT;
use super::{HttpError, State};

/// What a client may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections served at once.
    pub connections: usize,
    /// Time for a request's head to arrive.
    pub header_timeout: Duration,
    /// Time from the start of a connection to its end.
    pub connection_timeout: Duration,
    /// Time that `/metrics` waits for the agent's counters.
    pub scrape_timeout: Duration,
    /// Bytes of a request's head; hyper asks for 8 KiB at least.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            header_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(15),
            scrape_timeout: SCRAPE_TIMEOUT,
            head_bytes: 16 * 1024,
        }
    }
}

/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// Time that open connections have when the server is told to end.
const GRACE: Duration = Duration::from_secs(1);
/// Pause after a failed accept (no descriptors left, say).
const PAUSE: Duration = Duration::from_millis(100);

/// A server on its own thread.
pub struct Handle {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<Result<(), HttpError>>,
}

impl Handle {
    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells the server to end: no new connections, a second for the open ones.
    pub fn shutdown(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that it has ended already.
            let _ = stop.send(());
        }
    }

    /// Ends the server and waits for its thread (at most about a second).
    ///
    /// # Errors
    /// Why the server ended before it was told to.
    pub fn join(mut self) -> Result<(), HttpError> {
        self.shutdown();
        self.thread.join().map_err(|_| HttpError::Panicked)?
    }
}

/// Serves on a thread of its own, with a runtime of its own, until [`Handle::shutdown`] or the handle's drop.
///
/// # Errors
/// The thread or its runtime can't be started.
pub fn spawn(listener: std::net::TcpListener, state: State) -> Result<Handle, HttpError> {
    spawn_with(listener, state, Limits::default())
}

/// [`spawn`] with other limits.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_with(
    listener: std::net::TcpListener,
    state: State,
    limits: Limits,
) -> Result<Handle, HttpError> {
    let address = listener.local_addr().map_err(HttpError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(1)
        .thread_name("sidecar-scrape")
        .build()
        .map_err(HttpError::Start)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let body = move || {
        let shutdown = async {
            // The handle's drop ends the server too.
            let _ = stopped.await;
        };
        let served = runtime.block_on(serve(listener, state, limits, shutdown));
        // A scrape may be stuck in its source; the end of the server does not wait for it.
        runtime.shutdown_background();
        served
    };
    let thread =
        std::thread::Builder::new().name("sidecar-http".to_owned()).spawn(body).map_err(HttpError::Start)?;
    Ok(Handle { address, stop: Some(stop), thread })
}

/// Serves until `shutdown` completes. `listener` must be non-blocking, as from [`super::bind`].
///
/// # Errors
/// The listener can't be used with this runtime.
pub async fn serve(
    listener: std::net::TcpListener,
    state: State,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), HttpError> {
    let listener = TcpListener::from_std(listener).map_err(HttpError::Start)?;
    let router = router(state, limits);
    let places = Arc::new(Semaphore::new(limits.connections.max(1)));
    let mut open = JoinSet::new();
    let mut accepting = true;
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = open.join_next() => {
                note_panic(ended);
                continue;
            }
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                accepting = true;
                let router = router.clone();
                open.spawn(async move {
                    connection(stream, router, limits).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Said once for each row of failures.
                if std::mem::replace(&mut accepting, false) {
                    tracing::warn!("can't accept HTTP connections: {error}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let rest = async { while open.join_next().await.map(note_panic).is_some() {} };
    // Those that are still open are cut off with the set's drop.
    let _ = tokio::time::timeout(GRACE, rest).await;
    Ok(())
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<(TcpStream, Place)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection(stream: TcpStream, router: Router, limits: Limits) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .keep_alive(false)
        .max_buf_size(limits.head_bytes)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match tokio::time::timeout(limits.connection_timeout, served).await {
        Ok(Ok(())) => {}
        // Clients send garbage, stall and go away: not worth more than this.
        Ok(Err(error)) => tracing::debug!("an HTTP connection broke off: {error}"),
        Err(_) => tracing::debug!("an HTTP connection took longer than {:?}", limits.connection_timeout),
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!("an HTTP connection's task failed: {error}");
    }
}

fn router(state: State, limits: Limits) -> Router {
    let metrics = move |Extract(state): Extract<State>| async move {
        routes::metrics(&state, limits.scrape_timeout).await
    };
    Router::new()
        .route("/", get(async || routes::index()))
        .route("/livez", get(async || routes::livez()))
        .route(
            "/readyz",
            get(async |Extract(state): Extract<State>, uri: Uri| routes::readyz(&state, uri.query())),
        )
        .route("/health", get(async |Extract(state): Extract<State>| routes::health(&state, Instant::now())))
        .route("/metrics", get(metrics))
        .fallback(async |uri: Uri| routes::not_found(uri.path()))
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            routes::method_not_allowed(method.as_str(), uri.path())
        })
        .with_state(state)
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (status, headers, self.body).into_response()
    }
}
