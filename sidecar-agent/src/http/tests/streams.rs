//! The stream of events: frames, filters, slow readers, limits, and the end.

use std::io::{BufRead, BufReader};

use bytes::Bytes;
use sidecar_common::Status;

use super::*;
use crate::event::Event;
use crate::stream::testing::event;

/// A client of the stream.
struct Client<S> {
    reader: BufReader<S>,
}

impl<S: Read + Write> Client<S> {
    /// Asks, and reads up to the greeting, after which nothing is missed.
    fn new(mut stream: S, query: &str) -> Self {
        stream.write_all(request("GET", &format!("/api/v1/events{query}"), "", "").as_bytes()).unwrap();
        let mut client = Self { reader: BufReader::new(stream) };
        let mut head = String::new();
        while client.reader.read_line(&mut head).unwrap() > 2 {}
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"),
            "{head}"
        );
        assert_eq!(client.frame().unwrap(), ": sidecar");
        client
    }

    /// The next frame, without the empty line at its end; none at the end.
    fn frame(&mut self) -> Option<String> {
        let mut frame = String::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(frame);
            }
            if !frame.is_empty() {
                frame.push('\n');
            }
            frame.push_str(&line);
        }
    }

    /// The next line of the body: each chunk here is a whole number of lines.
    fn line(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            // Sizes of chunks stand alone on a line; nothing of a frame looks like one.
            if !line.is_empty() && line.chars().all(|c| c.is_ascii_hexdigit()) {
                if line == "0" {
                    return None;
                }
                continue;
            }
            return Some(line.to_owned());
        }
    }

    /// The next frame that is neither a comment nor empty.
    fn next(&mut self) -> Option<String> {
        loop {
            let frame = self.frame()?;
            if !frame.is_empty() && !frame.starts_with(':') {
                return Some(frame);
            }
        }
    }

    /// The data of the next event.
    fn data(&mut self) -> serde_json::Value {
        let frame = self.next().unwrap();
        let (id, data) = frame.split_once("\ndata: ").unwrap();
        assert!(id.starts_with("id: "), "{frame}");
        serde_json::from_str(data).unwrap()
    }
}

fn publish(server: &Server, event: &Event) {
    let mut line = Vec::new();
    crate::event::write_line(event, &mut line).unwrap();
    line.pop();
    server.hub.publish(event, &Bytes::from(line));
}

#[test]
fn events_come_as_they_are_published_over_both_listeners() {
    let server = Server::start(Limits::default());
    let mut tcp = Client::new(server.connect(), "");
    let mut unix = Client::new(server.connect_unix(), "");
    for name in ["one", "two"] {
        publish(&server, &event("test_end", name, Some(Status::Passed)));
        assert_eq!(tcp.data()["test_id"], name);
        assert_eq!(unix.data()["test_id"], name);
    }
}

#[test]
fn filters_hold_for_their_own_client() {
    let server = Server::start(Limits::default());
    let mut failures = Client::new(server.connect(), "?status=failed,error&test_id=db%2F*");
    let mut starts = Client::new(server.connect(), "?event_type=test_start");
    for (kind, name, status) in [
        ("test_start", "db/a", None),
        ("test_end", "db/b", Some(Status::Passed)),
        ("test_failure", "web/c", Some(Status::Failed)),
        ("test_failure", "db/d", Some(Status::Error)),
    ] {
        publish(&server, &event(kind, name, status));
    }
    assert_eq!(failures.data()["test_id"], "db/d");
    assert_eq!(starts.data()["test_id"], "db/a");
}

#[test]
fn names_of_tests_cannot_break_the_frames() {
    let server = Server::start(Limits::default());
    let mut client = Client::new(server.connect(), "");
    let name = "a\n\nevent: lost\ndata: {\"lost\": 9}\n\n\r\nid: 1\u{2028}\0";
    publish(&server, &event("x\nevent: y", name, None));
    publish(&server, &event("test_start", "after", None));
    let data = client.data();
    assert_eq!((&data["test_id"], &data["event_type"]), (&name.into(), &"x\nevent: y".into()));
    assert_eq!(client.data()["test_id"], "after");
}

/// A client that does not read loses events, is told how many, and the sum is right; another one loses none.
#[test]
fn a_slow_reader_loses_its_own_events_and_is_told() {
    let hub_limits = HubLimits { events: 64, bytes: 256 << 10, ..HubLimits::default() };
    let server = Server::with(Limits::default(), hub_limits, SecurityFiles::default());
    let mut slow = Client::new(server.connect_unix(), "");
    let mut quick = Client::new(server.connect(), "");
    let big = "x".repeat(4000);
    // Whatever the system's buffers hold, at some point they are full.
    let mut sent = 0_u64;
    until("events are lost", || {
        publish(&server, &event("test_start", &format!("{sent} {big}"), None));
        assert!(quick.data()["test_id"].as_str().unwrap().starts_with(&format!("{sent} ")));
        sent += 1;
        server.hub.stats().lost > 0
    });
    publish(&server, &event("test_start", "last", None));
    sent += 1;
    let (mut lost, mut got) = (0, 0);
    loop {
        let frame = slow.next().unwrap();
        if let Some(data) = frame.strip_prefix("event: lost\ndata: ") {
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            lost += data["lost"].as_u64().unwrap();
            continue;
        }
        got += 1;
        if frame.contains("\"last\"") {
            break;
        }
    }
    assert!(lost > 0);
    assert_eq!((lost + got, lost), (sent, server.hub.stats().lost));
}

#[test]
fn a_client_that_takes_nothing_is_let_go_and_its_place_is_free() {
    let limits = Limits { write_timeout: Duration::from_millis(100), ..Limits::default() };
    let hub_limits = HubLimits { subscribers: 1, ..HubLimits::default() };
    let server = Server::with(limits, hub_limits, SecurityFiles::default());
    let stuck = Client::new(server.connect_unix(), "");
    let event = event("test_start", &"x".repeat(4000), None);
    until("it is let go", || {
        publish(&server, &event);
        server.hub.subscribers() == 0
    });
    drop(stuck);
    drop(Client::new(server.connect(), ""));
}

#[test]
fn streams_are_bounded_in_number_and_outlast_the_limits_of_others() {
    let limits = Limits {
        connection_timeout: Duration::from_millis(100),
        heartbeat: Duration::from_millis(20),
        ..Limits::default()
    };
    let hub_limits = HubLimits { subscribers: 2, ..HubLimits::default() };
    let server = Server::with(limits, hub_limits, SecurityFiles::default());
    let mut first = Client::new(server.connect(), "");
    let second = Client::new(server.connect(), "");
    let refused = server.get("/api/v1/events");
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 5"), "{refused:?}");
    // Twenty heartbeats take longer than any other connection may.
    let mut heartbeats = 0;
    while heartbeats < 20 {
        heartbeats += u32::from(first.frame().unwrap() == ":");
    }
    publish(&server, &event("test_start", "late", None));
    assert_eq!(first.data()["test_id"], "late");
    drop(second);
    until("the place is free", || server.hub.subscribers() == 1);
    drop(Client::new(server.connect(), ""));
}

#[test]
fn streams_end_with_the_server() {
    let server = Server::start(Limits::default());
    let mut client = Client::new(server.connect(), "");
    publish(&server, &event("test_start", "one", None));
    let begun = Instant::now();
    server.handle.join().unwrap();
    assert_eq!(client.data()["test_id"], "one");
    assert!(client.next().is_none());
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// Fifty clients that read nothing or send nothing: health answers as if they were not there.
#[test]
fn fifty_slow_clients_do_not_delay_health() {
    let server = Server::start(Limits::default());
    let slow: Vec<_> = (0..50)
        .map(|i| {
            let mut stream = server.connect();
            if i % 2 == 0 {
                stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
            }
            stream
        })
        .collect();
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(server.get("/health").status, 200);
        assert_eq!(server.root("GET", "/health", "").status, 200);
        best = best.min(begun.elapsed());
    }
    // The limit for a head is 5 s: whoever had to wait for a slow client would wait about so long.
    assert!(best < Duration::from_secs(2), "{best:?}");
    drop(slow);
}
