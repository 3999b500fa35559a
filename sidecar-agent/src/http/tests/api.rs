//! The API's verbs: what they answer, and every way in which a request can be wrong.

use std::io::Write;
use std::time::Duration;

use super::*;
use crate::config::Place;
use crate::control::ReloadRefused;
use crate::control::fake::{EXHAUSTED, UNAVAILABLE};

const RATE: &str = "/api/v1/sampling/events";
const BOOST: &str = "/api/v1/sampling/events/boost";

#[test]
fn the_reading_verbs_answer_over_both_listeners() {
    let server = Server::start(Limits::default());
    for (path, member, value) in [
        ("/api/v1/stats", "/balance/kept", serde_json::json!(10)),
        ("/api/v1/stats", "/balance/dropped/queue_full", 2.into()),
        ("/api/v1/sampling", "/signals/events/configured_rate", 0.1.into()),
        ("/api/v1/profile", "/summary/window_seconds", 60.0.into()),
        ("/api/v1/profile?window=5", "/summary/window_seconds", 5.0.into()),
        ("/api/v1/budget", "/limits/memory_bytes", 100_000_000.into()),
        ("/api/v1/probes", "/probes/0/provider", "sidecar".into()),
        ("/api/v1/images", "/images/0/path", "/a/suite".into()),
        ("/api/v1/tests", "/omitted", 3.into()),
        ("/api/v1/config", "/values/0/value", "(set)".into()),
    ] {
        for answer in [server.get(path), server.root("GET", path, "")] {
            assert_eq!(answer.json().pointer(member), Some(&value), "{path} {answer:?}");
        }
    }
}

#[test]
fn the_writing_verbs_do_what_they_say() {
    let server = Server::start(Limits::default());
    assert_eq!(server.root("PUT", RATE, r#"{"rate": 0.5}"#).json()["effective_rate"], 0.5);
    let boosted = server.root("POST", BOOST, r#"{"factor": 3, "duration_sec": 1.5}"#).json();
    assert_eq!((&boosted["has_boost"], &boosted["boost_factor"]), (&true.into(), &3.0.into()));
    assert_eq!(server.root("DELETE", BOOST, "").json()["has_boost"], false);
    let anomaly = server.root("POST", "/api/v1/anomalies", r#"{"signal": "events", "kind": "slow"}"#);
    assert_eq!(anomaly.json()["anomalies_in_window"], 1);
    let reloaded = server.root("POST", "/api/v1/config/reload", "");
    assert_eq!(reloaded.json()["changed"][0], "sampling.events");
    let calls = ["rate events 0.5", "boost events 3 1.5s", "clear events", "anomaly events slow", "reload"];
    assert_eq!(*server.control.calls.lock().unwrap(), calls);
}

#[test]
fn a_refused_reload_says_where_the_fault_is() {
    let server = Server::start(Limits::default());
    *server.control.reload.lock().unwrap() = Err(ReloadRefused {
        reason: "a.yml:7: sampling.events: 7 is out of range".to_owned(),
        place: Box::new(Place {
            file: Some("a.yml".to_owned()),
            line: Some(7),
            column: Some(3),
            variable: Some("SIDECAR_SAMPLE_EVENTS"),
            flag: Some("--listen"),
            key: Some("sampling.events".to_owned()),
            reason: "7 is out of range".to_owned(),
        }),
        needs_restart: Vec::new(),
    });
    let refused = server.root("POST", "/api/v1/config/reload", "");
    assert_eq!(refused.status, 422);
    let json = refused.json();
    for (part, value) in [
        ("file", serde_json::json!("a.yml")),
        ("line", 7.into()),
        ("column", 3.into()),
        ("variable", "SIDECAR_SAMPLE_EVENTS".into()),
        ("flag", "--listen".into()),
        ("key", "sampling.events".into()),
        ("reason", "7 is out of range".into()),
    ] {
        assert_eq!(json[part], value, "{part}: {json}");
    }
    assert!(refused.error().contains("stays as it was") && refused.hint().contains("correct"), "{json}");

    let needs_restart = vec!["discovery.ring_bytes".to_owned()];
    let reason = "some keys need a restart".to_owned();
    *server.control.reload.lock().unwrap() =
        Err(ReloadRefused { reason, needs_restart, ..ReloadRefused::default() });
    let refused = server.root("POST", "/api/v1/config/reload", "");
    assert!(refused.hint().contains("discovery.ring_bytes"), "{refused:?}");
}

#[test]
fn bodies_that_are_wrong_are_refused_each_with_its_status() {
    let server = Server::start(Limits::default());
    for (path, body, status, said) in [
        (RATE, r#"{"rate": 7}"#, 422, "can't be 7"),
        (RATE, r#"{"rate": -1}"#, 422, "can't be -1"),
        (RATE, r#"{"rate": "0.5"}"#, 422, "invalid type"),
        (RATE, r#"{"rate": 0.5, "rates": 1}"#, 422, "unknown field"),
        (RATE, r#"{}"#, 422, "missing field"),
        (RATE, r#"{"rate": NaN}"#, 400, "the body"),
        (RATE, r#"{"rate": 1e999}"#, 400, "out of range"),
        (RATE, "not json", 400, "the body"),
        (RATE, "{", 400, "EOF"),
        (RATE, "[[[[[[", 422, "the body"),
        (RATE, "{\"rate\": 0.5} {\"rate\": 0.5}", 400, "trailing"),
        ("/api/v1/sampling/evnts", r#"{"rate": 0.5}"#, 404, "no signal"),
        ("/api/v1/sampling/eventz", r#"{"rate": 0.5}"#, 404, "no signal"),
        ("/api/v1/sampling/..%2f..%2fetc", r#"{"rate": 0.5}"#, 404, "no signal"),
        ("/api/v1/sampling/%0aevent:%20lost", r#"{"rate": 0.5}"#, 404, "no signal"),
    ] {
        let refused = server.root("PUT", path, body);
        assert_eq!(refused.status, status, "{body}: {refused:?}");
        assert!(refused.error().contains(said), "{body}: {refused:?}");
    }
    for (body, status) in [
        (r#"{"factor": 1, "duration_sec": 1}"#, 422),
        (r#"{"factor": 1001, "duration_sec": 1}"#, 422),
        (r#"{"factor": 2, "duration_sec": 0}"#, 422),
        (r#"{"factor": 2, "duration_sec": -1}"#, 422),
        (r#"{"factor": 2, "duration_sec": 1e-12}"#, 422),
        (r#"{"factor": 2, "duration_sec": 1e300}"#, 422),
        (r#"{"factor": 2}"#, 422),
    ] {
        assert_eq!(server.root("POST", BOOST, body).status, status, "{body}");
    }
    for kind in ["", "a b", "a\\nb", "a\\\"", &"k".repeat(65)] {
        let body = format!(r#"{{"signal": "events", "kind": "{kind}"}}"#);
        assert_eq!(server.root("POST", "/api/v1/anomalies", &body).status, 422, "{kind}");
    }
    assert!(server.root("PUT", "/api/v1/sampling/eventz", r#"{"rate": 1}"#).hint().contains("`events`"));
    assert!(server.control.calls.lock().unwrap().is_empty());
}

#[test]
fn what_the_agent_refuses_has_its_status() {
    let server = Server::start(Limits::default());
    let boost = r#"{"factor": 2, "duration_sec": 60}"#;
    let exhausted = server.root("POST", &format!("/api/v1/sampling/{EXHAUSTED}/boost"), boost);
    assert_eq!(exhausted.status, 429);
    assert!(exhausted.head.contains("retry-after: 91"), "{exhausted:?}");
    assert_eq!(server.root("POST", &format!("/api/v1/sampling/{UNAVAILABLE}/boost"), boost).status, 422);
    let unavailable = server.root("PUT", &format!("/api/v1/sampling/{UNAVAILABLE}"), r#"{"rate": 1}"#);
    assert_eq!((unavailable.status, unavailable.error().as_str()), (503, "nothing is watched"));
}

#[test]
fn queries_that_mean_nothing_are_refused() {
    let server = Server::start(Limits::default());
    for path in [
        "/api/v1/profile?window=0",
        "/api/v1/profile?window=3601",
        "/api/v1/profile?window=NaN",
        "/api/v1/profile?window=",
        "/api/v1/profile?window=1&window=2",
        "/api/v1/profile?windw=1",
        "/api/v1/stats?window=1",
        "/api/v1/stats?a",
        "/api/v1/events?event-type=x",
        "/api/v1/events?status=broken",
        "/api/v1/events?test_id=%5Ba",
        "/api/v1/events?signal=",
    ] {
        let refused = server.get(path);
        assert_eq!(refused.status, 400, "{path}");
        assert!(!refused.hint().is_empty());
    }
    assert!(server.get("/api/v1/events?event-type=x").hint().contains("`event_type`"));
}

#[test]
fn bodies_have_a_length_a_type_and_a_time() {
    let limits = Limits { body_timeout: Duration::from_millis(100), ..Limits::default() };
    let server = Server::start(limits);
    let put = |headers: &str, body: &str| {
        let text = format!("PUT {RATE} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}");
        Answer::parse(&exchange(server.connect_unix(), text.as_bytes()))
    };
    let json = "Content-Type: application/json\r\n";
    assert_eq!(put(&format!("{json}Content-Length: 1000000000\r\n"), "{").status, 413);
    let chunk = format!("ffff\r\n{}\r\n0\r\n\r\n", " ".repeat(0xffff));
    assert_eq!(put(&format!("{json}Transfer-Encoding: chunked\r\n"), &chunk).status, 413);
    assert_eq!(put(&format!("{json}Content-Length: 20\r\n"), "{\"rate\"").status, 408);
    assert_eq!(put("Content-Length: 13\r\n", "{\"rate\": 0.5}").status, 415);
    assert_eq!(put("Content-Type: text/plain\r\nContent-Length: 13\r\n", "{\"rate\": 0.5}").status, 415);
    assert_eq!(put(json, "").status, 400);
    let charset = "Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 13\r\n";
    assert_eq!(put(charset, "{\"rate\": 0.5}").status, 200);

    let mut stream = server.connect_unix();
    write!(stream, "PUT {RATE} HTTP/1.1\r\nHost: x\r\n{json}Content-Length: 20\r\n\r\n{{").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let text = read_rest(&mut stream);
    assert!(text.is_empty() || Answer::parse(&text).status == 400, "{text}");
}

#[test]
fn a_stuck_agent_gives_503_and_health_goes_on() {
    let short = Duration::from_millis(100);
    let server = Server::start(Limits { read_timeout: short, change_timeout: short, ..Limits::default() });
    server.control.hold(true);
    for _ in 0..3 {
        let read = server.get("/api/v1/stats");
        assert_eq!(read.status, 503);
        assert!(read.error().contains("100ms"), "{read:?}");
        let change = server.root("PUT", RATE, r#"{"rate": 0.5}"#);
        assert_eq!(change.status, 503);
        assert!(change.hint().contains("may still be carried out"), "{change:?}");
        assert_eq!(server.get("/health").status, 200);
        assert_eq!(server.get("/metrics").status, 200);
    }
    server.control.hold(false);
    until("the agent answers again", || server.get("/api/v1/stats").status == 200);
}

#[test]
fn before_the_agent_has_started_the_api_says_so() {
    let health = Arc::new(Health::new(Instant::now(), &[]));
    let build = BuildInfo { version: "1".into(), arch: "a".into(), kernel_object: "o".into() };
    let metrics = Metrics::new(Arc::new(Gate::default()), build).unwrap();
    let state = State::new(health, Arc::new(metrics), Arc::new(Hub::new(HubLimits::default())));
    let guard = Arc::new(Guard::open(SecurityFiles::default()).unwrap());
    let listeners = Listeners { tcp: Some(bind("127.0.0.1:0").unwrap()), unix: None, guard };
    let handle = spawn(listeners, state.clone(), Limits::default()).unwrap();
    let get = || {
        let stream = TcpStream::connect(handle.address().unwrap()).unwrap();
        Answer::parse(&exchange(stream, request("GET", "/api/v1/stats", "", "").as_bytes()))
    };
    assert_eq!(get().status, 503);
    state.set_control(Arc::new(Fake::default()));
    assert_eq!(get().status, 200);
}

#[test]
fn names_of_tests_cannot_break_the_json() {
    let server = Server::start(Limits::default());
    let name = "a\"}\r\n\r\nHTTP/1.1 200 OK\u{1b}[2J\0\u{2028}</script>";
    name.clone_into(&mut server.control.test_id.lock().unwrap());
    let answer = server.get("/api/v1/tests");
    assert_eq!(answer.json()["tests"][0]["test_id"], name);
    assert_eq!(answer.body.lines().count(), 1);
}

#[test]
fn paths_lead_nowhere_else() {
    let server = Server::start(Limits::default());
    for path in [
        "/api/v1/../../etc/passwd",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
        "//api/v1/stats",
        "/api/v1/stats/",
        "/api/v1/sampling/",
        "/api/v2/stats",
        "/API/v1/stats",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    assert_eq!(server.root("PATCH", RATE, "").status, 405);
    assert_eq!(server.root("GET", "/api/v1/config/reload", "").status, 405);
}
