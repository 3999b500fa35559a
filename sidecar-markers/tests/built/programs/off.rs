//! One function a macro: what the compiler makes of a marker that nobody listens to.

use std::time::Duration;

use sidecar_markers::{Status, anomaly, event, test_end, test_start};

/// `test_start!` with a text that has to be built.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn off_test_start(value: u64) {
    test_start!(id = format!("test {value}"), suite = "suite");
}

/// `test_end!` with two texts that have to be built.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn off_test_end(value: u64) {
    test_end!(
        id = format!("test {value}"),
        status = Status::Failed,
        duration = Duration::from_nanos(value),
        message = format!("why {value}")
    );
}

/// `event!` with a text that has to be built.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn off_event(value: u64) {
    event!("type", id = format!("test {value}"), data = value.to_le_bytes());
}

/// `anomaly!` with a text that has to be built.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn off_anomaly(value: u64) {
    anomaly!("events", format!("kind {value}"));
}

fn main() {
    let value = std::env::args().count() as u64;
    off_test_start(value);
    off_test_end(value);
    off_event(value);
    off_anomaly(value);
}
