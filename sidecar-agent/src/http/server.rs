//! The server's thread and runtime, and its listeners. The one file here that starts tasks; they are joined here too.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinError, JoinSet};

use super::guard::Guard;
use super::limits::Limits;
use super::load::{Load, Place, Running};
use super::router::{Router, router};
use super::{HttpError, Served, Socket, State, connection};

/// Time that open connections have when the server is told to end.
const GRACE: Duration = Duration::from_secs(1);
/// Pause after a failed accept (no descriptors left, say).
const PAUSE: Duration = Duration::from_millis(100);
/// How often the files of the protection are looked at.
const REFRESH: Duration = Duration::from_secs(1);
/// Threads for calls that may block: a scrape, a reading and a writing call, a password, the files of the protection.
const BLOCKING: usize = 5;

/// Where a server listens, and how it is protected.
pub struct Listeners {
    /// TCP, from [`super::bind`].
    pub tcp: Option<std::net::TcpListener>,
    /// The Unix socket.
    pub unix: Option<Socket>,
    /// What protects TCP.
    pub guard: Arc<Guard>,
}

/// A server on its own thread.
pub struct Handle {
    address: Option<SocketAddr>,
    load: Arc<Load>,
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<Result<(), HttpError>>,
}

impl Handle {
    /// The TCP address that it listens on, if it does.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What it says of itself, also when it has ended.
    #[must_use]
    pub fn load(&self) -> Arc<Load> {
        Arc::clone(&self.load)
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
pub fn spawn(listeners: Listeners, state: State, limits: Limits) -> Result<Handle, HttpError> {
    let address = listeners
        .tcp
        .as_ref()
        .map(std::net::TcpListener::local_addr)
        .transpose()
        .map_err(HttpError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(BLOCKING)
        .thread_name("sidecar-call")
        .build()
        .map_err(HttpError::Start)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let count = usize::from(listeners.tcp.is_some()) + usize::from(listeners.unix.is_some());
    let load = Load::new((count * limits.connections.max(1)) as u64);
    let running = Running(Arc::clone(&load));
    let body = move || {
        let shutdown = async {
            // The handle's drop ends the server too.
            let _ = stopped.await;
        };
        let served = runtime.block_on(serve(listeners, state, limits, &running.0, shutdown));
        // A call may be stuck in the agent; the end of the server does not wait for it.
        runtime.shutdown_background();
        served
    };
    let thread =
        std::thread::Builder::new().name("sidecar-http".to_owned()).spawn(body).map_err(HttpError::Start)?;
    Ok(Handle { address, load, stop: Some(stop), thread })
}

async fn serve(
    listeners: Listeners,
    state: State,
    limits: Limits,
    load: &Arc<Load>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), HttpError> {
    let Listeners { tcp, unix, guard } = listeners;
    let (tcp, (unix, name)) = {
        let tcp = tcp.map(TcpListener::from_std).transpose().map_err(HttpError::Start)?;
        let (unix, name) = unix.map(Socket::into_parts).unzip();
        (tcp, (unix.map(UnixListener::from_std).transpose().map_err(HttpError::Start)?, name))
    };
    let served = Served { state, guard, limits };
    let mut open = Open { router: router(&served), served, tasks: JoinSet::new() };
    let (mut over_tcp, mut over_unix) =
        (Accepting::new(limits.connections, load), Accepting::new(limits.connections, load));
    // Without such files nobody needs to be woken for them.
    let (mut refresh, has_files) = (tokio::time::interval(REFRESH), open.served.guard.has_files());
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = open.tasks.join_next() => note_panic(ended),
            _ = refresh.tick(), if has_files => open.refresh(),
            accepted = over_tcp.next(tcp.as_ref(), TcpListener::accept) => {
                if let Some(((stream, _), place)) = accepted {
                    open.tcp(stream, place);
                }
            }
            accepted = over_unix.next(unix.as_ref(), UnixListener::accept) => {
                if let Some(((stream, _), place)) = accepted {
                    open.unix(stream, place);
                }
            }
        }
    }
    drop((tcp, unix, name));
    open.served.state.events.close();
    let rest = async { while open.tasks.join_next().await.map(note_panic).is_some() {} };
    // Those that are still open are cut off with the set's drop.
    let _ = tokio::time::timeout(GRACE, rest).await;
    Ok(())
}

/// The open connections and what serves them.
struct Open {
    served: Served,
    router: Router,
    tasks: JoinSet<()>,
}

impl Open {
    fn tcp(&mut self, stream: tokio::net::TcpStream, place: Place) {
        let (router, guard, limits) =
            (self.router.clone(), Arc::clone(&self.served.guard), self.served.limits);
        self.tasks.spawn(async move {
            connection::tcp(stream, router, &guard, limits).await;
            drop(place);
        });
    }

    fn unix(&mut self, stream: tokio::net::UnixStream, place: Place) {
        let (router, limits) = (self.router.clone(), self.served.limits);
        self.tasks.spawn(async move {
            connection::unix(stream, router, limits).await;
            drop(place);
        });
    }

    /// Looks at the files of the protection where that may block.
    fn refresh(&mut self) {
        let guard = Arc::clone(&self.served.guard);
        let turn = self.served.state.refreshing.clone();
        self.tasks.spawn(async move {
            // One that is stuck keeps its turn; the others go away without one.
            let _ = turn.call(REFRESH, move || guard.refresh_and_tell()).await;
        });
    }
}

/// A listener's places, and whether accepting fails.
struct Accepting {
    places: Arc<Semaphore>,
    load: Arc<Load>,
    crowded: bool,
    failing: bool,
}

impl Accepting {
    fn new(connections: usize, load: &Arc<Load>) -> Self {
        let places = Arc::new(Semaphore::new(connections.max(1)));
        Self { places, load: Arc::clone(load), crowded: false, failing: false }
    }

    /// The next connection, once there is a place for it. None after a failure and a pause.
    async fn next<'l, L, T>(
        &mut self,
        listener: Option<&'l L>,
        accept: impl AsyncFn(&'l L) -> io::Result<T>,
    ) -> Option<(T, Place)> {
        let Some(listener) = listener else { return std::future::pending().await };
        if self.places.available_permits() == 0 && !std::mem::replace(&mut self.crowded, true) {
            self.load.crowds();
        }
        let permit = Arc::clone(&self.places).acquire_owned().await.ok()?;
        self.crowded = false;
        match accept(listener).await {
            Ok(connection) => {
                self.failing = false;
                Some((connection, Place::new(&self.load, permit)))
            }
            Err(error) => {
                // Said once for each row of failures.
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!("can't accept HTTP connections: {error}");
                }
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("an HTTP connection's task failed: {error}");
    }
}
