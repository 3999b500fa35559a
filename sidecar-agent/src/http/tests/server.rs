//! Health, metrics and the limits, over real loopback sockets.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::config::Place;
use crate::health::{Resources, config, kernel};
use crate::sinks::QueueStats;

#[test]
fn each_path_answers_with_its_content_type() {
    let server = Server::start(Limits::default());
    let index = server.get("/");
    assert_eq!(index.status, 200);
    for path in ["/metrics", "/health", "/livez", "/readyz"] {
        assert!(index.body.contains(path), "{index:?}");
    }
    let metrics = server.get("/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r"), "{metrics:?}");
    assert!(metrics.status == 200 && metrics.body.contains("\nsidecar_attached_sites 42\n"), "{metrics:?}");
    let live = server.get("/livez");
    assert_eq!((live.status, live.body.as_str()), (200, "ok\n"));
    assert!(live.head.contains("connection: close"), "{live:?}");
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &"healthy".into()));
}

#[test]
fn health_is_200_until_it_is_unhealthy() {
    let server = Server::start(Limits::default());
    server.health.set("ring", Component::made_up(Level::Degraded, "lost").count("lost", 3));
    let health = server.get("/health");
    assert_eq!(health.status, 200);
    assert_eq!(health.json()["components"]["ring"]["lost"], 3);
    server.health.set("ring", Component::made_up(Level::Unhealthy, "gone"));
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (503, &"unhealthy".into()));
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn readiness_says_what_it_waits_for() {
    let server = Server::start(Limits::default());
    server.health.step_done("kernel", "loaded");
    let not_yet = server.get("/readyz");
    assert_eq!(
        (not_yet.status, not_yet.body.as_str()),
        (503, "[+] kernel: loaded\n[-] attach: not begun\nnot ready\n")
    );
    server.health.step_done("attach", "3 files");
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ok\n"));
    for query in ["verbose", "verbose=1", "x=y&verbose"] {
        assert_eq!(
            server.get(&format!("/readyz?{query}")).body,
            "[+] kernel: loaded\n[+] attach: 3 files\nok\n"
        );
    }
    assert_eq!(server.get("/readyz?notverbose").body, "ok\n");
    server.health.stopping();
    assert_eq!(server.get("/readyz").status, 503);
}

#[test]
fn head_gives_the_head_alone() {
    let server = Server::start(Limits::default());
    for path in ["/", "/metrics", "/health", "/livez"] {
        let answer = server.request("HEAD", path);
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
        assert!(answer.head.contains("content-length: "), "{answer:?}");
    }
}

#[test]
fn unknown_paths_and_methods_are_refused_with_a_hint() {
    let server = Server::start(Limits::default());
    let answer = server.get("/nope/%22%3cscript%3e?x=1");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"], "there is no /nope/%22%3cscript%3e");
    assert!(answer.json()["hint"].as_str().unwrap().contains("GET /"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = server.request(method, "/metrics");
        assert_eq!(answer.status, 405, "{method}");
        assert!(answer.head.contains("allow: get,head"), "{answer:?}");
        assert!(answer.json()["error"].as_str().unwrap().starts_with(method));
    }
    let long = server.get(&format!("/{}", "a".repeat(5_000)));
    assert!(long.status == 404 && long.body.len() < 300, "{long:?}");
}

#[test]
fn garbage_and_oversized_heads_are_refused_and_the_server_lives() {
    let server = Server::start(Limits::default());
    let big = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Big: {}\r\n\r\n", "b".repeat(100_000));
    let many: String = (0..1000).map(|i| format!("X-{i}: y\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    for (bytes, status) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n".as_slice(), 400),
        (b"\xff\xfe\x00\x01 \r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /\xff\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (big.as_bytes(), 431),
        (many.as_bytes(), 431),
    ] {
        let text = server.raw(bytes);
        // A reset can overtake the answer when much was sent that nobody read.
        if !text.is_empty() || bytes.len() < 10_000 {
            assert_eq!(
                Answer::parse(&text).status,
                status,
                "{:?}",
                String::from_utf8_lossy(&bytes[..20.min(bytes.len())])
            );
        }
    }
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn a_body_is_not_waited_for() {
    let server = Server::start(Limits::default());
    let text = server.raw(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc");
    assert_eq!(Answer::parse(&text).status, 405);
    let text = server.raw(b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz");
    assert_eq!(Answer::parse(&text).status, 200);
}

#[test]
fn a_client_that_sends_its_head_too_slowly_is_let_go() {
    let server = Server::start(Limits { header_timeout: Duration::from_millis(100), ..Limits::default() });
    let mut stream = server.connect();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: ").unwrap();
    let answer = read_rest(&mut stream);
    assert!(!answer.contains("200 OK"), "{answer:?}");
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn a_client_that_does_not_end_is_cut_off() {
    let server =
        Server::start(Limits { connection_timeout: Duration::from_millis(100), ..Limits::default() });
    server.gate.set(true);
    let mut stream = server.connect();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(read_rest(&mut stream), "");
    server.gate.set(false);
}

/// 200 connections that say nothing, on a server with 8 places: everybody who asks is answered, once the
/// silent ones have had their time.
#[test]
fn idle_connections_do_not_lock_others_out() {
    let limits = Limits { connections: 8, header_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(limits);
    let idle: Vec<_> = (0..200).map(|_| server.connect()).collect();
    for _ in 0..5 {
        assert_eq!(server.get("/livez").status, 200);
    }
    let load = server.handle.load();
    assert!(load.crowded() > 0 && load.limit() == 16 && !load.ended(), "{load:?}");
    drop(idle);
    until("every connection is let go", || load.open() == 0);
    server.handle.join().unwrap();
    assert!(load.ended());
}

/// Everything that an agent can tell, at once.
#[test]
fn a_whole_report_is_as_the_document_says() {
    let server = Server::start(Limits::default());
    let place = Place {
        file: Some("a.yml".to_owned()),
        line: Some(1),
        column: Some(2),
        variable: Some("SIDECAR_ENABLED"),
        flag: Some("--listen"),
        key: Some("enabled".to_owned()),
        reason: "no".to_owned(),
    };
    server.health.set("config", config(Some(("a.yml:1: enabled: no", &place)), 1, 2));
    server.health.set("kernel", kernel(Some("no privilege")));
    server.health.beat(Instant::now());
    server.health.set_queue(QueueStats::default());
    server.health.set_resources(Resources {
        cpu_percent: Some(0.5),
        memory_bytes: Some(1),
        ..Resources::default()
    });
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &"degraded".into()));
    let config = &health.json()["components"]["config"];
    assert_eq!((&config["fault"]["column"], &config["refused"]), (&2.into(), &2.into()), "{config}");
}

#[test]
fn two_hundred_requests_at_once_are_answered() {
    let server = Server::start(Limits::default());
    std::thread::scope(|scope| {
        for i in 0..200 {
            let server = &server;
            scope.spawn(move || {
                let path = ["/metrics", "/health", "/livez", "/"][i % 4];
                assert_eq!(server.get(path).status, 200, "{path}");
            });
        }
    });
}

#[test]
fn a_stalled_agent_still_answers_and_metrics_say_503() {
    let server = Server::start(Limits { read_timeout: Duration::from_millis(200), ..Limits::default() });
    server.gate.set(true);
    for _ in 0..3 {
        let metrics = server.get("/metrics");
        assert_eq!(metrics.status, 503);
        assert!(metrics.json()["error"].as_str().unwrap().contains("200ms"), "{metrics:?}");
        assert_eq!(server.get("/livez").status, 200);
        assert_eq!(server.get("/health").status, 200);
    }
    assert_eq!(*server.gate.entered.lock().unwrap(), 1, "only one scrape may be stuck");
    server.gate.set(false);
    // The stuck scrape ends soon; until then a request may still be told to wait.
    while server.get("/metrics").status == 503 {}
    assert_eq!(server.get("/metrics").status, 200);
}

#[test]
fn the_server_ends_when_told_also_with_a_stuck_scrape_and_frees_its_port() {
    let server = Server::start(Limits { read_timeout: Duration::from_millis(50), ..Limits::default() });
    server.gate.set(true);
    assert_eq!(server.get("/metrics").status, 503);
    let address = server.address();
    server.handle.join().unwrap();
    server.gate.set(false);
    assert!(TcpStream::connect(address).is_err());
    bind(address).unwrap();
}

#[test]
fn a_taken_port_is_an_error_that_helps() {
    let first = bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    let said = bind(address).unwrap_err().to_string();
    for part in [address.to_string().as_str(), "Address already in use", "http.listen", "ss -ltnp"] {
        assert!(said.contains(part), "{said}");
    }
    let said = bind("203.0.113.7:9808").unwrap_err().to_string();
    assert!(said.contains("no such address") && said.contains("203.0.113.7:9808"), "{said}");
    let said = bind("not an address").unwrap_err().to_string();
    assert!(said.contains("not an address") && said.contains("http.listen"), "{said}");
}
