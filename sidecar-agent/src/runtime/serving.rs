//! The listeners of `sidecar run`, as configured.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::RuntimeError;
use crate::{
    config::{Config, DEFAULT_SOCKET, Source},
    governor::stream_bytes,
    http::{self, Guard, Limits, Listeners, SecurityFiles, Socket, SocketError},
    stream::{Hub, HubLimits},
};

/// Takes the address, the socket and the files that protect them; none if there is to be no HTTP at all.
///
/// # Errors
/// What was asked for and can't be had. The default socket is not asked for: without it the agent goes on.
pub(super) fn listeners(config: &Config) -> Result<Option<Listeners>, RuntimeError> {
    let http = &config.http;
    let guard = Arc::new(Guard::open(SecurityFiles {
        web_config: file(&http.web_config),
        token: file(&config.security.token_file),
    })?);
    let tcp = if http.enabled { Some(http::bind(http.listen)?) } else { None };
    let unix = match file(&http.socket).map(|path| Socket::bind(&path)) {
        None => None,
        Some(Ok(socket)) => Some(socket),
        Some(Err(error)) if config.source("http.socket") == Source::Default => {
            without_default(&error);
            None
        }
        Some(Err(error)) => return Err(error.into()),
    };
    Ok((tcp.is_some() || unix.is_some()).then_some(Listeners { tcp, unix, guard }))
}

/// What clients may use, as configured.
pub(super) fn limits(config: &Config) -> Limits {
    let connections = usize::try_from(config.http.max_connections).unwrap_or(usize::MAX);
    Limits { connections, ..Limits::default() }
}

/// The stream of events, as configured.
pub(super) fn hub(config: &Config) -> Arc<Hub> {
    let subscribers = usize::try_from(config.http.max_streams).unwrap_or(usize::MAX);
    let bytes = usize::try_from(stream_bytes(config.http.max_streams)).unwrap_or(usize::MAX);
    Arc::new(Hub::new(HubLimits { subscribers, bytes, ..HubLimits::default() }))
}

/// Where the listeners are, for people.
pub(super) fn places(listeners: &Listeners) -> String {
    let tcp = listeners.tcp.as_ref().and_then(|tcp| tcp.local_addr().ok()).map(|address| address.to_string());
    let unix = listeners.unix.as_ref().map(|socket| socket.path().display().to_string());
    tcp.into_iter().chain(unix).collect::<Vec<_>>().join(" and ")
}

fn without_default(error: &SocketError) {
    tracing::warn!("no Unix socket at {DEFAULT_SOCKET}, so nothing can be changed there: {error}");
}

fn file(name: &str) -> Option<PathBuf> {
    (!name.is_empty()).then(|| Path::new(name).to_owned())
}
