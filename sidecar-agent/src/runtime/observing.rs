//! Events of this program itself: through the markers, as any other program's.

use std::time::Duration;

use serde_json::Value;
use sidecar_markers::{Marker, Status, enabled, event, test_end, test_start};

/// Fires the marker for an event. Whether anybody listens.
pub(super) fn fire(event_type: &str, data: &Value) -> bool {
    match event_type {
        "test_start" => start(data),
        "test_end" => end(data, status(data).unwrap_or(Status::Unknown)),
        "test_failure" => end(data, status(data).unwrap_or(Status::Failed)),
        other => custom(other, data),
    }
}

fn text<'a>(data: &'a Value, key: &str) -> Option<&'a str> {
    data.get(key).and_then(Value::as_str)
}

fn attempt(data: &Value) -> u32 {
    let given = data.get("attempt").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    given.filter(|number| *number > 0).unwrap_or(1)
}

/// The word of `status`, where it is one.
fn status(data: &Value) -> Option<Status> {
    Some(match text(data, "status")? {
        "passed" => Status::Passed,
        "failed" => Status::Failed,
        "skipped" => Status::Skipped,
        "error" => Status::Error,
        "timeout" => Status::Timeout,
        "aborted" => Status::Aborted,
        "xfail" => Status::Xfail,
        "xpass" => Status::Xpass,
        _ => return None,
    })
}

fn start(data: &Value) -> bool {
    let id = text(data, "test_id").unwrap_or_default();
    let run = text(data, "run_id").map_or_else(|| sidecar_markers::run_id().to_owned(), str::to_owned);
    test_start!(id = id, run = run, suite = text(data, "suite"), attempt = attempt(data));
    enabled(Marker::TestStart)
}

fn end(data: &Value, status: Status) -> bool {
    let id = text(data, "test_id").unwrap_or_default();
    let run = text(data, "run_id").map_or_else(|| sidecar_markers::run_id().to_owned(), str::to_owned);
    let milliseconds = data.get("duration_ms").and_then(Value::as_f64).unwrap_or(0.0);
    let duration = Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or_default();
    let (message, attempt) = (text(data, "message"), attempt(data));
    test_end!(id = id, status = status, run = run, duration = duration, message = message, attempt = attempt);
    enabled(Marker::TestEnd)
}

fn custom(event_type: &str, data: &Value) -> bool {
    let run = text(data, "run_id").map_or_else(|| sidecar_markers::run_id().to_owned(), str::to_owned);
    event!(event_type, id = text(data, "test_id").unwrap_or_default(), run = run, data = data.to_string());
    enabled(Marker::Event)
}
