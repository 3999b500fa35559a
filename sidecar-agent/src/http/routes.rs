//! What the paths beside the API answer: the index, health, readiness, metrics.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::State;
use super::endpoints::ROUTES;
use super::reply::{Reply, TEXT, echo, problem};
use crate::health::Level;
use crate::metrics::CONTENT_TYPE;

pub(super) fn index() -> Reply {
    let mut body = concat!("sidecar ", env!("CARGO_PKG_VERSION"), "\n\n").to_owned();
    for route in ROUTES {
        line(&mut body, format_args!("{:<6} {:<32} {}", route.method, route.path, route.what));
    }
    Reply::text(200, TEXT, body)
}

pub(super) fn livez() -> Reply {
    Reply::text(200, TEXT, "ok\n")
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
    Reply::text(if readiness.ready { 200 } else { 503 }, TEXT, body)
}

pub(super) fn health(state: &State, now: Instant) -> Reply {
    let report = state.health.report(now);
    let status = match report.status {
        Level::Healthy | Level::Degraded => 200,
        Level::Unhealthy => 503,
    };
    Reply::json(status, &report)
}

pub(super) async fn metrics(state: &State, timeout: Duration) -> Reply {
    let metrics = Arc::clone(&state.metrics);
    let why = match state.scrape.call(timeout, move || metrics.encode()).await {
        Ok(Ok(body)) => return Reply::text(200, CONTENT_TYPE, body),
        Ok(Err(error)) => error.to_string(),
        Err(error) => format!("the agent's counters could not be read: {error}; see /health"),
    };
    problem(503, &why, "/livez and /health answer all the while")
}

pub(super) fn not_found(path: &str) -> Reply {
    problem(404, &format!("there is no {}", echo(path)), "GET / lists what is there")
}

pub(super) fn method_not_allowed(method: &str, path: &str) -> Reply {
    let hint = "the header `allow` names the methods; GET / lists what is there";
    problem(405, &format!("{} is not for {}", echo(method), echo(path)), hint)
}

fn line(body: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(body, "{text}");
}
