//! The server over real sockets, with a client of a few lines. Each answer is held against docs/openapi.json.

mod api;
mod document;
mod protected;
mod schema;
mod server;
mod streams;
mod tls;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::control::fake::Fake;
use crate::health::{Component, Level};
use crate::metrics::{BuildInfo, Snapshot, Source};
use crate::stream::HubLimits;

/// Longest wait for anything that has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A source that hangs while it is told to.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
    entered: Mutex<u32>,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }
}

impl Source for Gate {
    fn snapshot(&self) -> Snapshot {
        *self.entered.lock().unwrap() += 1;
        let mut shut = self.shut.lock().unwrap();
        while *shut {
            shut = self.opened.wait(shut).unwrap();
        }
        Snapshot { attached_sites: 42, ..Snapshot::default() }
    }
}

struct Server {
    health: Arc<Health>,
    gate: Arc<Gate>,
    control: Arc<Fake>,
    hub: Arc<Hub>,
    guard: Arc<Guard>,
    handle: Handle,
    directory: tempfile::TempDir,
}

impl Server {
    fn start(limits: Limits) -> Self {
        Self::with(limits, HubLimits::default(), SecurityFiles::default())
    }

    fn protected(files: SecurityFiles) -> Self {
        Self::with(Limits::default(), HubLimits::default(), files)
    }

    fn with(limits: Limits, hub_limits: HubLimits, files: SecurityFiles) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let health = Arc::new(Health::new(Instant::now(), &["kernel", "attach"]));
        let (gate, control) = (Arc::new(Gate::default()), Arc::new(Fake::default()));
        let hub = Arc::new(Hub::new(hub_limits));
        let build = BuildInfo { version: "1".into(), arch: "a".into(), kernel_object: "o".into() };
        let metrics = Metrics::new(gate.clone(), build).unwrap();
        let state = State::new(Arc::clone(&health), Arc::new(metrics), Arc::clone(&hub));
        state.set_control(control.clone());
        let guard = Arc::new(Guard::open(files).unwrap());
        let unix = Some(Socket::bind(&directory.path().join("run/s.sock")).unwrap());
        let tcp = Some(bind("127.0.0.1:0").unwrap());
        let handle = spawn(Listeners { tcp, unix, guard: Arc::clone(&guard) }, state, limits).unwrap();
        Self { health, gate, control, hub, guard, handle, directory }
    }

    fn address(&self) -> std::net::SocketAddr {
        self.handle.address().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn connect_unix(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.path().join("run/s.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends the bytes and reads all that comes until the server closes.
    fn raw(&self, bytes: &[u8]) -> String {
        exchange(self.connect(), bytes)
    }

    /// Over TCP.
    fn request(&self, method: &str, path: &str) -> Answer {
        self.ask(self.connect(), method, path, "", "")
    }

    fn get(&self, path: &str) -> Answer {
        self.request("GET", path)
    }

    /// Over TCP, with a header.
    fn get_with(&self, path: &str, header: &str) -> Answer {
        self.ask(self.connect(), "GET", path, header, "")
    }

    /// Over the Unix socket. A body is said to be JSON.
    fn root(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(self.connect_unix(), method, path, "", body)
    }

    fn ask(&self, stream: impl Read + Write, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let answer = Answer::parse(&exchange(stream, request(method, path, headers, body).as_bytes()));
        document::conforms(method, path, &answer);
        answer
    }
}

/// A request's text; `headers` end in CRLF.
fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}{length}\r\n{body}")
}

fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    // The server may have refused and closed before it has read everything.
    let _ = stream.write_all(bytes);
    read_rest(&mut stream)
}

fn read_rest(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end too.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn json(&self) -> serde_json::Value {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    fn hint(&self) -> String {
        self.json()["hint"].as_str().unwrap().to_owned()
    }
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to pass that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
