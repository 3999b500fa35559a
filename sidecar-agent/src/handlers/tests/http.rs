//! Tests of the `http` handler: servers of every kind.

use std::io::Write;
use std::net::TcpListener;

use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;

use super::super::backoff::Backoff;
use super::super::engine::{Engine, Work};
use super::super::http::Poster;
use super::super::inlet::Intake;
use super::super::slot::Slot;
use super::http_server::Server;
use super::*;
use crate::config::{FileText, HttpAction, Sources, load};

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy";

/// An action as it is configured, with a header that is a secret.
fn action(url: &str) -> HttpAction {
    let text = format!(
        "sidecar: {{handlers: [{{type: http, url: '{url}', headers: {{Authorization: Bearer s3cret}}, timeout_sec: 60}}]}}"
    );
    let file = FileText { name: "test".to_owned(), text };
    let mut config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
    let Action::Http(action) = config.handlers.remove(0).action else { panic!("no http") };
    HttpAction { max_attempts: 3, rate_limit: 10_000.0, ..action }
}

/// A handler that waits a millisecond at most between attempts.
struct Quick {
    slot: Arc<Slot>,
    engine: Engine,
}

impl Quick {
    fn start(action: &HttpAction, roots: Option<RootCertStore>) -> Self {
        let engine = Engine::start_thread().unwrap();
        let slot = Arc::new(Slot::new(
            "hook",
            Kind::Http,
            None,
            Filter::all(),
            Intake::new(QueueOptions::default()),
        ));
        let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1));
        let poster = Poster::build(action, roots, backoff).unwrap();
        slot.start(&engine, Work::Task(Box::pin(poster.serve(slot.inlet())))).unwrap();
        Self { slot, engine }
    }

    fn send(&self, id: &str) {
        self.slot.offer(&message(id));
    }

    fn stats(&self) -> HandlerStats {
        self.slot.stats()
    }

    fn finish(self, grace: Duration) -> HandlerStats {
        self.engine.detached(drain::drain(Arc::clone(&self.slot), grace));
        block_on(async { drop(self.slot.ended.subscribe().wait_for(|ended| *ended).await) });
        let stats = self.slot.stats();
        assert_balanced(&stats);
        assert_eq!((stats.waiting, stats.in_flight), (0, 0), "{stats:?}");
        stats
    }
}

/// What becomes of one event.
fn outcome(action: &HttpAction) -> HandlerStats {
    let handler = Quick::start(action, None);
    handler.send("x");
    handler.finish(LONG)
}

#[test]
fn events_are_posted_as_json_with_the_headers() {
    let server = Server::always(OK);
    let handler = handlers(config("hook", Action::Http(action(&server.url()))));
    for id in ["a", "b\r\nX-Forged: 1"] {
        handler.dispatch(&message(id));
    }
    let stats = finish(&handler, LONG);
    assert_counts(&stats, 2, &[]);
    assert!(!format!("{stats:?}").contains("s3cret"));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for (request, id) in requests.iter().zip(["a", "b\r\nX-Forged: 1"]) {
        let head = request.head.to_ascii_lowercase();
        assert!(head.starts_with("post /hook?x=1 http/1.1\r\n"), "{head}");
        assert!(head.contains("authorization: bearer s3cret\r\n"), "{head}");
        assert!(head.contains("content-type: application/json\r\n") && !head.contains("forged"), "{head}");
        let json: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(json["test_id"], id);
    }
}

#[test]
fn a_busy_server_is_asked_again_and_order_is_kept() {
    let server = Server::start(|number, stream| {
        stream.write_all(if number < 2 { BUSY } else { OK }.as_bytes()).is_ok()
    });
    let handler = Quick::start(&action(&server.url()), None);
    ["a", "b", "c"].iter().for_each(|id| handler.send(id));
    let stats = handler.finish(LONG);
    assert_counts(&stats, 3, &[]);
    assert_eq!(stats.consecutive_failures, 0);
    assert_eq!(error_text(&stats), "the server answered 503 Service Unavailable: busy");
    let ids: Vec<_> = server.requests().iter().map(|request| request.body.contains("\"a\"")).collect();
    assert_eq!(ids, [true, true, true, false, false]);
}

#[test]
fn a_server_that_stays_busy_is_given_up_after_the_last_attempt() {
    for answer in [
        BUSY,
        "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n",
    ] {
        let server = Server::always(answer);
        let stats = outcome(&action(&server.url()));
        assert_counts(&stats, 0, &[(Reason::HttpStatus, 1)]);
        assert!(error_text(&stats).ends_with("(3 attempts)"), "{stats:?}");
        assert_eq!((server.requests().len(), stats.consecutive_failures), (3, 3));
    }
}

#[test]
fn a_refusal_is_final_and_a_redirection_is_not_followed() {
    let elsewhere = Server::always(OK);
    let moved = format!("HTTP/1.1 307 Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url());
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 18\r\n\r\nno\x1b[2J\nERROR forged".to_owned();
    for (answer, said) in [
        (moved, "the server answered 307 Temporary Redirect"),
        (refused, "the server answered 403 Forbidden: no [2J ERROR forge"),
    ] {
        let server = Server::always(String::leak(answer));
        let stats = outcome(&action(&server.url()));
        assert_counts(&stats, 0, &[(Reason::HttpStatus, 1)]);
        assert_eq!((error_text(&stats), server.requests().len()), (said, 1));
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn a_server_that_never_answers_or_drips_is_a_timeout() {
    let silent = Server::start(|_, stream| {
        // Until the peer has gone.
        let _ = std::io::copy(stream, &mut std::io::sink());
        false
    });
    let dripping = Server::start(|_, stream| {
        while stream.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
        false
    });
    let drips_headers = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"a: b\r\n").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
        false
    });
    for server in [silent, drips_headers] {
        let stats = outcome(&HttpAction { timeout_sec: 0.1, max_attempts: 2, ..action(&server.url()) });
        assert_counts(&stats, 0, &[(Reason::Timeout, 1)]);
        assert_eq!(error_text(&stats), "no answer within 0.1 s (2 attempts)");
    }
    // What it drips is no HTTP, so the client may see that first.
    let stats = outcome(&HttpAction { timeout_sec: 0.1, max_attempts: 2, ..action(&dripping.url()) });
    assert_eq!(stats.failed(), 1);
}

#[test]
fn a_server_that_hangs_up_or_talks_nonsense_is_unreachable() {
    let mut huge = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    huge.resize(1 << 20, b'x');
    for answer in [
        b"".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(),
        b"\x16\x03\x01\xff\0\r\n\r\n".to_vec(),
        huge,
    ] {
        let server = Server::start(move |_, stream| {
            let _ = stream.write_all(&answer);
            false
        });
        assert_counts(&outcome(&action(&server.url())), 0, &[(Reason::Unreachable, 1)]);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stats = outcome(&action(&format!("http://{nobody}/")));
    assert_counts(&stats, 0, &[(Reason::Unreachable, 1)]);
    assert!(error_text(&stats).contains("Connection refused"), "{stats:?}");
}

#[test]
fn an_answer_counts_whatever_its_body_does() {
    for promised in ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"] {
        let server = Server::start(move |_, stream| {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n{promised}\r\n\r\n");
            // Without end, and with no valid chunk.
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
            false
        });
        assert_counts(&outcome(&action(&server.url())), 1, &[]);
    }
}

#[test]
fn the_spool_is_bounded_and_the_end_is_counted() {
    let silent = Server::start(|_, stream| {
        let _ = std::io::copy(stream, &mut std::io::sink());
        false
    });
    let handler = Quick::start(&HttpAction { spool_events: 3, ..action(&silent.url()) }, None);
    handler.send("first");
    eventually("the request", || silent.requests().len() == 1);
    (0..10).for_each(|i| handler.send(&i.to_string()));
    eventually("the spool", || handler.stats().count(Reason::SpoolFull) == 7);
    let stats = handler.stats();
    assert_balanced(&stats);
    assert_eq!((stats.waiting, stats.in_flight), (3, 1), "{stats:?}");
    let stats = handler.finish(Duration::from_millis(1));
    assert_counts(&stats, 0, &[(Reason::SpoolFull, 7), (Reason::Shutdown, 4)]);
}

#[test]
fn the_end_during_a_wait_is_counted_too() {
    let server = Server::always("HTTP/1.1 503 Busy\r\nRetry-After: 9999\r\nContent-Length: 0\r\n\r\n");
    let handler = Quick::start(&action(&server.url()), None);
    ["a", "b"].iter().for_each(|id| handler.send(id));
    eventually("the answer", || handler.stats().last_error.is_some());
    assert_counts(&handler.finish(Duration::from_millis(1)), 0, &[(Reason::Shutdown, 2)]);
}

#[test]
fn what_exceeds_the_rate_is_dropped() {
    let server = Server::always(OK);
    let handler = Quick::start(&HttpAction { rate_limit: 0.001, ..action(&server.url()) }, None);
    (0..5).for_each(|i| handler.send(&i.to_string()));
    assert_counts(&handler.finish(LONG), 1, &[(Reason::RateLimited, 4)]);
}

/// A TLS server that answers one request a connection, and its certificate as the only root.
fn tls_server() -> (std::net::SocketAddr, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let server = Arc::new(server);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut tls = rustls::ServerConnection::new(Arc::clone(&server)).unwrap();
            let mut tls = rustls::Stream::new(&mut tls, &mut stream);
            let mut buffer = [0; 65_536];
            // The request is one short record or two; its end need not be seen.
            if std::io::Read::read(&mut tls, &mut buffer).is_ok() {
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    (address, roots)
}

#[test]
fn tls_is_spoken_with_those_who_are_trusted() {
    let (address, roots) = tls_server();
    let action = action(&format!("https://localhost:{}/", address.port()));
    let handler = Quick::start(&action, Some(roots));
    handler.send("x");
    assert_counts(&handler.finish(LONG), 1, &[]);
    let handler = Quick::start(&action, Some(RootCertStore::empty()));
    handler.send("x");
    let stats = handler.finish(LONG);
    assert_counts(&stats, 0, &[(Reason::Unreachable, 1)]);
    assert!(error_text(&stats).contains("UnknownIssuer"), "{stats:?}");
}
