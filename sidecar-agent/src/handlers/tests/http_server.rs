//! A server for tests that answers as the test says, however badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Request line and headers.
    pub(super) head: String,
    /// The body.
    pub(super) body: String,
}

/// A server on a free port of the loopback interface. Its threads end when their peers do.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// Each request, by its number from 0, is answered by `answer`; then the next one of the connection is read,
    /// unless it says false.
    pub(super) fn start(answer: impl Fn(usize, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer, mut stream) = (Arc::clone(&seen), Arc::clone(&answer), stream.unwrap());
                thread::spawn(move || {
                    while let Some(request) = read_request(&stream) {
                        let number = {
                            let mut seen = seen.lock().unwrap();
                            seen.push(request);
                            seen.len() - 1
                        };
                        if !answer(number, &mut stream) {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// One that gives the same answer to all.
    pub(super) fn always(answer: &'static str) -> Self {
        Self::start(move |_, stream| stream.write_all(answer.as_bytes()).is_ok())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook?x=1", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads one request; none when the peer has closed. The client sends the next one only after an answer, so nothing
/// of it is lost in this reader.
fn read_request(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Received { head, body: String::from_utf8(body).ok()? })
}
