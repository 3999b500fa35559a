//! What each path answers, as plain data: no HTTP library here.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::State;
use crate::health::{Level, Report};
use crate::metrics::CONTENT_TYPE;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Longest piece of a request that an answer repeats, in characters.
const ECHO: usize = 100;

/// What is there.
const PATHS: &[(&str, &str)] = &[
    ("/metrics", "Prometheus metrics"),
    ("/health", "state of every component, as JSON; 503 when unhealthy"),
    ("/livez", "200 while the agent lives"),
    ("/readyz", "200 once the start-up is complete, else 503; ?verbose lists its steps"),
];

/// A status, a content type, a body.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

pub(super) fn index() -> Reply {
    let mut body = concat!("sidecar ", env!("CARGO_PKG_VERSION"), "\n\n").to_owned();
    for (path, what) in PATHS {
        line(&mut body, format_args!("GET {path:<9} {what}"));
    }
    Reply { status: 200, content_type: TEXT, body }
}

pub(super) fn livez() -> Reply {
    Reply { status: 200, content_type: TEXT, body: "ok\n".to_owned() }
}

pub(super) fn readyz(state: &State, query: Option<&str>) -> Reply {
    let readiness = state.health.readiness();
    let verbose = query.unwrap_or("").split('&').any(|pair| pair.split('=').next() == Some("verbose"));
    let mut body = String::new();
    // A client that is told no is told why.
    if verbose || !readiness.ready {
        for step in &readiness.steps {
            let mark = if step.done { '+' } else { '-' };
            line(&mut body, format_args!("[{mark}] {}: {}", step.name, step.note));
        }
    }
    body.push_str(if readiness.ready { "ok\n" } else { "not ready\n" });
    Reply { status: if readiness.ready { 200 } else { 503 }, content_type: TEXT, body }
}

pub(super) fn health(state: &State, now: Instant) -> Reply {
    let report = state.health.report(now);
    let status = match report.status {
        Level::Healthy | Level::Degraded => 200,
        Level::Unhealthy => 503,
    };
    match encode(&report) {
        Ok(body) => Reply { status, content_type: JSON, body },
        Err(error) => problem(500, &format!("can't encode the state: {error}"), "this is a fault; report it"),
    }
}

pub(super) async fn metrics(state: &State, timeout: Duration) -> Reply {
    match state.scrapes.text(timeout).await {
        Ok(body) => Reply { status: 200, content_type: CONTENT_TYPE, body },
        Err(why) => problem(503, &why, "/livez and /health answer all the while"),
    }
}

pub(super) fn not_found(path: &str) -> Reply {
    problem(404, &format!("there is no {}", echo(path)), "GET / lists what is there")
}

pub(super) fn method_not_allowed(method: &str, path: &str) -> Reply {
    problem(
        405,
        &format!("{} is not for {}", echo(method), echo(path)),
        "use GET or HEAD; nothing here can be changed",
    )
}

fn encode(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string(report).map(|json| json + "\n")
}

fn problem(status: u16, error: &str, hint: &str) -> Reply {
    let body = json!({"error": error, "hint": hint}).to_string() + "\n";
    Reply { status, content_type: JSON, body }
}

fn echo(piece: &str) -> String {
    piece.chars().take(ECHO).collect()
}

fn line(body: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(body, "{text}");
}
