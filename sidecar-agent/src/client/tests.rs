//! What is asked, what is shown, and agents that are not what they should be.

use std::io::{Read, Write};
use std::net::TcpListener;

use clap::Parser;
use serde_json::json;

use super::*;
use crate::cli::{Cli, Verb};

fn tail_path(args: &[&str]) -> String {
    match Cli::try_parse_from([&["sidecar", "tail"], args].concat()).unwrap().verb {
        Verb::Tail(args) => tail::path(&args),
        verb => panic!("{verb:?}"),
    }
}

#[test]
fn conditions_become_a_query() {
    assert_eq!(tail_path(&[]), "/api/v1/events");
    assert_eq!(
        tail_path(&["--status", "failed,error", "--test-id", "a::b[1 &=]*", "--test-id", "\u{e9}"]),
        "/api/v1/events?status=failed,error&test_id=a%3A%3Ab%5B1%20%26%3D%5D*&test_id=%C3%A9"
    );
}

/// Somebody who answers each request with the same bytes.
fn answering(bytes: &'static [u8]) -> AgentArgs {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
        }
    });
    AgentArgs { socket: None, address: Some(address), token_file: None, timeout: 20 }
}

async fn health_of(args: &AgentArgs) -> Result<Value, ClientError> {
    Agent::new(args).unwrap().health().await
}

#[tokio::test]
async fn agents_that_answer_nonsense_are_told_apart_from_unhealthy_ones() {
    let unhealthy = b"HTTP/1.1 503 X\r\nContent-Length: 22\r\n\r\n{\"status\":\"unhealthy\"}";
    assert_eq!(health_of(&answering(unhealthy)).await.unwrap()["status"], "unhealthy");
    let refused = b"HTTP/1.1 401 X\r\nContent-Length: 28\r\n\r\n{\"error\":\"e!\",\"hint\":\"h!\"}  ";
    let said = health_of(&answering(refused)).await.unwrap_err().to_string();
    assert!(said.contains("e! (status 401). h!"), "{said}");
    for nonsense in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"stat",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ] {
        let error = health_of(&answering(nonsense)).await.unwrap_err();
        assert!(matches!(error, ClientError::Broken { .. }), "{error}");
    }
}

#[tokio::test]
async fn silence_ends_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Some(listener.local_addr().unwrap());
    let args = AgentArgs { socket: None, address, token_file: None, timeout: 1 };
    let said = health_of(&args).await.unwrap_err().to_string();
    assert!(said.contains("nothing came within 1s"), "{said}");
}

#[tokio::test]
async fn nobody_there_is_told_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let socket = Some(directory.path().join("s.sock"));
    let args = AgentArgs { socket, address: None, token_file: None, timeout: 1 };
    let said = health_of(&args).await.unwrap_err().to_string();
    assert!(said.contains("s.sock") && said.contains("sidecar run"), "{said}");
    let token_file = Some(directory.path().join("token"));
    let args = AgentArgs { token_file, ..args };
    assert!(matches!(Agent::new(&args), Err(ClientError::Token { .. })));
}

#[test]
fn health_and_status_are_tables() {
    let health = json!({"status": "degraded", "uptime_seconds": 200.5, "components": {
        "ring": {"status": "degraded", "message": "lost\u{1b}[2J", "lost": 3},
        "attachments": {"status": "healthy", "message": "4 sites in 1 files"}}});
    let signal = json!({"configured_rate": 0.1, "effective_rate": 0.5, "boost_factor": 5.0,
        "boost_remaining_seconds": 41.7});
    let all = json!({
        "health": health,
        "stats": {"balance": {"hits": 10, "kept": 4, "sampled_out": 3, "lost": 2, "disabled": 1,
            "received": 4, "processed": 3, "queued": 0, "dropped": {"queue_full": 1}},
            "event_types": {
                "types": [
                    {"event_type": "order\u{1b}[2J", "kept": 123, "estimate": 1234.0, "standard_error": 40.0},
                    {"event_type": "fired", "kept": 9, "estimate": 9.0, "standard_error": 0.0}],
                "others": {"kept": 2, "estimate": 2.0, "standard_error": 0.0}}},
        "sampling": {"signals": {"events": signal}},
        "profile": {"current": {"cpu_percent": 1.25, "memory_bytes": 20_000_000}},
        "budget": {"level": 0, "step": "full", "reason": "within budget",
            "limits": {"cpu_percent": 5.0, "memory_bytes": 100_000_000}},
    });
    insta::assert_snapshot!(show::status(&all));
    let bare = json!({"health": health, "stats": null, "sampling": null, "profile": null, "budget": null});
    assert_eq!(show::status(&bare), show::health(&health));
}

#[test]
fn events_are_lines_that_a_terminal_does_not_act_upon() {
    let shown = show::event(
        &json!({"timestamp": "2026-01-01T00:00:00Z", "event_type": "test_failure", "status": "failed",
            "test_id": "a\n\u{1b}]0;x\u{7}", "duration_ms": 1.5, "message": "no\r\u{9b}", "data": {"k": "v"}})
        .to_string(),
    );
    assert!(shown.starts_with("2026-01-01T00:00:00Z test_failure failed a"), "{shown}");
    assert!(shown.contains("1.500 ms: no") && !shown.chars().any(char::is_control), "{shown:?}");
    assert_eq!(show::event("no json"), "no json");
}

#[test]
fn what_is_probed_is_a_table_that_a_terminal_does_not_act_upon() {
    let all = json!({
        "probes": [
            {"provider": "app", "name": "st\u{1b}ep", "sites": 2, "hits": 10, "kept": 4, "sampled_out": 5, "lost": 1,
             "disabled": 0, "read_faults": 3, "cost_seconds": 0.0123456},
            {"provider": "", "name": "app::run", "sites": 1, "hits": 7, "untimed": 2,
             "durations": {"count": 4, "sum_seconds": 0.002, "buckets": []}},
        ],
        "images": {"images": [
            {"path": "/opt/app", "sites": 3, "refused": 0, "reason": null},
            {"path": "/opt/b", "sites": 0, "refused": 2, "reason": "no room"},
        ], "omitted": 5},
        "profile": {"current": {"cpu_percent": 1.25, "bpf_cpu_percent": 0.5}},
    });
    let text = probes::text(&all);
    let lines: Vec<_> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "probe sites hits kept sampled out lost disabled faults cost ms",
        "app:st\u{fffd}ep 2 10 4 5 1 0 3 12.346",
        "app::run 1 7 ? ? ? ? ? ?",
        "",
        "durations",
        "app::run 4 of them, 500.0 us in the mean, 2 calls not timed",
        "",
        "attached to 2 files",
        "/opt/app 3 sites",
        "/opt/b 0 sites, 2 refused: no room",
        "and 5 more",
        "",
        "cost: 0.50 % of a core in the kernel's programs, 1.25 % with the agent",
    ];
    assert_eq!(lines, expected);
    let nothing = probes::text(&json!({"probes": [], "images": null, "profile": null}));
    assert!(nothing.contains("attached to 0 files"), "{nothing}");
}
