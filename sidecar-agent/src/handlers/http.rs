//! The `http` handler: each event is posted to a server as JSON. What the server can't take now waits in a bounded
//! spool and is tried again; so an event arrives at least once, or is counted.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::{Instant, sleep, timeout};

use super::backoff::{Backoff, retry_after};
use super::child::stopped;
use super::inlet::Inlet;
use super::limit::TokenBucket;
use super::message::Message;
use super::reason::Reason;
use super::set::HandlersError;
use super::spool::Spool;
use super::tally::Tally;
use super::text::{chain, plain_bytes};
use crate::config::HttpAction;

/// The wait after the first failure, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read; the connection is closed after more.
const MOST_ANSWER: usize = 64 << 10;
/// Bytes of an answer that are kept for the message.
const SHOWN_ANSWER: usize = 512;
/// An answer's body gets so long: the status has said everything already.
const BODY_TIME: Duration = Duration::from_secs(1);
/// Bytes of an answer's head.
const MOST_HEAD: usize = 64 << 10;
/// A connection is kept so long without a request.
const IDLE: Duration = Duration::from_secs(30);

/// Posts events to one URL.
pub(super) struct Poster {
    server: Arc<Server>,
    max_attempts: u64,
    spool: Spool,
    limit: TokenBucket,
    backoff: Backoff,
}

/// Who is asked, and how.
struct Server {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

/// How an attempt ended.
enum Attempt {
    Taken,
    Refused(String),
    Again { reason: Reason, text: String, after: Option<Duration> },
}

impl Poster {
    /// A poster that trusts the system's certificate authorities.
    pub(super) fn new(action: &HttpAction) -> Result<Self, HandlersError> {
        Self::build(action, None, Backoff::new(FIRST_WAIT, LONGEST_WAIT))
    }

    /// The same with other authorities and other waits.
    pub(super) fn build(
        action: &HttpAction,
        roots: Option<RootCertStore>,
        backoff: Backoff,
    ) -> Result<Self, HandlersError> {
        let url = |error: &dyn std::error::Error| HandlersError::Url(error.to_string());
        let uri: Uri = action.url.parse().map_err(|error| url(&error))?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sidecar/", env!("CARGO_PKG_VERSION"))));
        for (name, value) in &action.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|error| url(&error))?;
            let mut value = HeaderValue::try_from(value.reveal()).map_err(|error| url(&error))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let timeout = Duration::from_secs_f64(action.timeout_sec);
        let client = client(&uri, roots, timeout)?;
        Ok(Self {
            server: Arc::new(Server { client, uri, headers, timeout }),
            max_attempts: action.max_attempts,
            spool: Spool::new(fitting(action.spool_events), fitting(action.spool_bytes)),
            limit: TokenBucket::new(action.rate_limit, std::time::Instant::now()),
            backoff,
        })
    }

    /// Posts what the queue gives until it is closed and empty, and the spool too.
    pub(super) async fn serve(mut self, mut inlet: Inlet) {
        let mut open = true;
        loop {
            let Some(line) = self.spool.pop() else {
                match inlet.queue.pop().await {
                    Some(message) => self.admit(&message, &inlet.tally),
                    None => return,
                }
                continue;
            };
            inlet.tally.set_spooled(self.spool.len(), self.spool.bytes());
            let mut attempts = 0;
            loop {
                let server = Arc::clone(&self.server);
                let attempt = server.attempt(line.clone());
                let Some(attempt) = self.meanwhile(&mut inlet, &mut open, attempt).await else {
                    return self.give_up(&inlet.tally);
                };
                let (reason, text, after) = match attempt {
                    Attempt::Taken => {
                        self.backoff.reset();
                        inlet.tally.handled();
                        break;
                    }
                    Attempt::Refused(text) => {
                        self.backoff.reset();
                        inlet.tally.failed(Reason::HttpStatus, &text);
                        break;
                    }
                    Attempt::Again { reason, text, after } => (reason, text, after),
                };
                attempts += 1;
                let last = attempts >= self.max_attempts;
                if last {
                    inlet.tally.failed(reason, &format!("{text} ({attempts} attempts)"));
                } else {
                    inlet.tally.attempt_failed(reason, &text);
                }
                let wait = after.unwrap_or_else(|| self.backoff.next(random()));
                if self.meanwhile(&mut inlet, &mut open, sleep(wait)).await.is_none() {
                    if !last {
                        inlet.tally.dropped(Reason::Shutdown, 1);
                    }
                    return self.give_up_spool(&inlet.tally);
                }
                if last {
                    break;
                }
            }
        }
    }

    /// Takes events into the spool until `what` is done; none if the handler is to end at once.
    async fn meanwhile<T>(
        &mut self,
        inlet: &mut Inlet,
        open: &mut bool,
        what: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::pin!(what);
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut inlet.stop) => return None,
                done = &mut what => return Some(done),
                message = inlet.queue.pop(), if *open => match message {
                    Some(message) => self.admit(&message, &inlet.tally),
                    None => *open = false,
                },
            }
        }
    }

    /// Puts an event into the spool.
    fn admit(&mut self, message: &Message, tally: &Tally) {
        if !self.limit.take(std::time::Instant::now()) {
            return tally.dropped(Reason::RateLimited, 1);
        }
        let Some(line) = message.line() else {
            return tally.failed(Reason::HttpStatus, "the event has no form in JSON");
        };
        let gone = self.spool.push(line);
        tally.set_spooled(self.spool.len(), self.spool.bytes());
        tally.dropped(Reason::SpoolFull, gone);
    }

    /// The end came during an attempt.
    fn give_up(&mut self, tally: &Tally) {
        tally.dropped(Reason::Shutdown, 1);
        self.give_up_spool(tally);
    }

    fn give_up_spool(&mut self, tally: &Tally) {
        let rest = self.spool.len() as u64;
        tally.set_spooled(0, 0);
        tally.dropped(Reason::Shutdown, rest);
    }
}

fn fitting(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn client(
    uri: &Uri,
    roots: Option<RootCertStore>,
    timeout: Duration,
) -> Result<Client<HttpsConnector<HttpConnector>, Full<Bytes>>, HandlersError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(timeout));
    let provider = ring::default_provider();
    let builder = HttpsConnectorBuilder::new();
    let builder = match roots {
        // The system's authorities take a disk's time and memory: for a plain URL nobody needs them.
        None if uri.scheme_str() == Some("https") => builder
            .with_provider_and_native_roots(provider)
            .map_err(|error| HandlersError::Tls(error.to_string()))?,
        roots => {
            let config = ClientConfig::builder_with_provider(provider.into())
                .with_safe_default_protocol_versions()
                .map_err(|error| HandlersError::Tls(error.to_string()))?
                .with_root_certificates(roots.unwrap_or_else(RootCertStore::empty))
                .with_no_client_auth();
            builder.with_tls_config(config)
        }
    };
    let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .http1_max_buf_size(MOST_HEAD)
        .build(connector))
}

impl Server {
    /// One request. A redirection is not followed: the headers are for this URL alone.
    async fn attempt(&self, line: Bytes) -> Attempt {
        let mut request = Request::new(Full::new(line));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let deadline = Instant::now() + self.timeout;
        let response = match timeout(self.timeout, self.client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let text = chain(&error);
                return Attempt::Again { reason: Reason::Unreachable, text, after: None };
            }
            Err(_) => {
                let text = format!("no answer within {} s", self.timeout.as_secs_f64());
                return Attempt::Again { reason: Reason::Timeout, text, after: None };
            }
        };
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|header| retry_after(header, jiff::Timestamp::now()));
        let left = deadline.saturating_duration_since(Instant::now()).min(BODY_TIME);
        let mut shown = Vec::new();
        let _ = timeout(left, read_body(response, &mut shown)).await;
        if status.is_success() {
            return Attempt::Taken;
        }
        let text = match plain_bytes(&shown) {
            said if said.is_empty() => format!("the server answered {status}"),
            said => format!("the server answered {status}: {said}"),
        };
        let again = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            || status.is_server_error();
        if again {
            Attempt::Again { reason: Reason::HttpStatus, text, after }
        } else {
            Attempt::Refused(text)
        }
    }
}

/// Reads an answer's body, so that the connection can be used again, and keeps its beginning.
async fn read_body(mut response: Response<Incoming>, shown: &mut Vec<u8>) {
    let mut total = 0;
    while let Some(Ok(frame)) = response.body_mut().frame().await {
        let data = frame.into_data().unwrap_or_default();
        shown.extend_from_slice(&data[..data.len().min(SHOWN_ANSWER - shown.len())]);
        total += data.len();
        if total > MOST_ANSWER {
            return;
        }
    }
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}
