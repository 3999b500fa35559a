//! Requests to the agent, over its socket or over TCP.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::{AgentArgs, ClientError};
use crate::config::{Config, DEFAULT_SOCKET};

/// Longest answer that is read whole, in bytes.
const LONGEST: usize = 64 << 20;

/// Where the agent is asked.
#[derive(Clone, Debug)]
enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// The agent that is asked.
pub(super) struct Agent {
    place: Place,
    /// Where to ask if nobody answers there; only when nothing was said about the place.
    otherwise: Option<Place>,
    token: Option<String>,
    timeout: Duration,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Agent {
    pub(super) fn new(args: &AgentArgs) -> Result<Self, ClientError> {
        let (place, otherwise) = match (&args.socket, args.address) {
            (Some(path), _) => (Place::Unix(path.clone()), None),
            (None, Some(address)) => (Place::Tcp(address), None),
            (None, None) => {
                let address = Place::Tcp(Config::default().http.listen);
                (Place::Unix(PathBuf::from(DEFAULT_SOCKET)), Some(address))
            }
        };
        let token = args.token_file.as_deref().map(token).transpose()?;
        Ok(Self { place, otherwise, token, timeout: args.timeout() })
    }

    /// The answer of `/health`; an unhealthy agent's too.
    pub(super) async fn health(&mut self) -> Result<Value, ClientError> {
        let answer = self.ask("/health").await?;
        let status = answer.status;
        let value = self.whole(answer).await?;
        if value["status"].is_string() { Ok(value) } else { Err(self.refused(status, &value)) }
    }

    /// A JSON answer.
    pub(super) async fn get(&mut self, path: &str) -> Result<Value, ClientError> {
        let answer = self.ask(path).await?;
        let status = answer.status;
        let value = self.whole(answer).await?;
        if status == 200 { Ok(value) } else { Err(self.refused(status, &value)) }
    }

    /// An answer that is read as it comes.
    pub(super) async fn stream(&mut self, path: &str) -> Result<Answer, ClientError> {
        let answer = self.ask(path).await?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let status = answer.status;
        let value = self.whole(answer).await?;
        Err(self.refused(status, &value))
    }

    /// Sends a request and waits for the answer's head.
    async fn ask(&mut self, path: &str) -> Result<Answer, ClientError> {
        let stream = self.connect().await?;
        let mut request = Request::get(path).header(header::HOST, "sidecar");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| self.broken(&error))?;
        let exchange = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let mut connection: Connection = Box::pin(async move {
                // How it ended shows in the body.
                let _ = connection.await;
            });
            let sent = sender.send_request(request);
            tokio::pin!(sent);
            let mut done = false;
            let response: Response<Incoming> = loop {
                tokio::select! {
                    response = &mut sent => break response?,
                    () = &mut connection, if !done => done = true,
                }
            };
            let status = response.status().as_u16();
            Ok::<_, hyper::Error>(Answer {
                status,
                body: response.into_body(),
                connection: (!done).then_some(connection),
            })
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer.map_err(|error| self.broken(&error)),
            Err(_) => Err(self.broken(&format!("nothing came within {:?}", self.timeout))),
        }
    }

    async fn connect(&mut self) -> Result<Box<dyn Stream>, ClientError> {
        let first = open(&self.place, self.timeout).await;
        let error = match first {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if let Some(other) = self.otherwise.take()
            && let Ok(stream) = open(&other, self.timeout).await
        {
            self.place = other;
            return Ok(stream);
        }
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => "The socket is for root: use sudo, or --address",
            _ => "Is it running (sidecar run)? --socket and --address say where to ask",
        };
        Err(ClientError::Unreachable { place: self.place.to_string(), reason: error.to_string(), advice })
    }

    async fn whole(&self, answer: Answer) -> Result<Value, ClientError> {
        let Answer { body, connection, .. } = answer;
        let read = async {
            let collected = Limited::new(body, LONGEST).collect();
            match connection {
                None => collected.await,
                Some(mut connection) => {
                    tokio::pin!(collected);
                    tokio::select! {
                        collected = &mut collected => collected,
                        () = &mut connection => collected.await,
                    }
                }
            }
        };
        let bytes = match tokio::time::timeout(self.timeout, read).await {
            Ok(read) => read.map_err(|error| self.broken(&error))?.to_bytes(),
            Err(_) => return Err(self.broken(&format!("the answer took longer than {:?}", self.timeout))),
        };
        serde_json::from_slice(&bytes)
            .map_err(|error| self.broken(&format!("what answers is no agent ({error})")))
    }

    fn broken(&self, reason: &impl std::fmt::Display) -> ClientError {
        ClientError::Broken { place: self.place.to_string(), reason: reason.to_string() }
    }

    fn refused(&self, status: u16, value: &Value) -> ClientError {
        let text = |name: &str| value[name].as_str().unwrap_or("nothing that is understood here").to_owned();
        ClientError::Refused {
            place: self.place.to_string(),
            status,
            error: text("error"),
            hint: text("hint"),
        }
    }
}

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer whose body is still to be read.
pub(super) struct Answer {
    status: u16,
    body: Incoming,
    connection: Option<Connection>,
}

impl Answer {
    /// The next piece of the body; none at its end.
    pub(super) async fn piece(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            let frame = match &mut self.connection {
                None => self.body.frame().await,
                Some(connection) => tokio::select! {
                    frame = self.body.frame() => frame,
                    () = connection => {
                        self.connection = None;
                        continue;
                    }
                },
            };
            match frame {
                None => return None,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
            }
        }
    }
}

async fn open(place: &Place, timeout: Duration) -> io::Result<Box<dyn Stream>> {
    let open = async {
        Ok::<Box<dyn Stream>, io::Error>(match place {
            Place::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Place::Tcp(address) => Box::new(TcpStream::connect(address).await?),
        })
    };
    tokio::time::timeout(timeout, open).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn token(path: &Path) -> Result<String, ClientError> {
    let wrong = |reason: String| ClientError::Token { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let token = text.trim();
    let good = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| token.to_owned()).ok_or_else(|| wrong("it holds no token".to_owned()))
}
