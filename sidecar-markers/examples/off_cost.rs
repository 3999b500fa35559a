//! Measures what a marker costs while nobody listens, beside an empty call that is not inlined.
//!
//! Prints one JSON object: medians in ns a call over many short rounds, taken in turns, so that a change of
//! the processor's clock meets all of them alike. Run it with `--release`.

use std::hint::black_box;
use std::time::Instant;

use sidecar_markers::{Marker, Status, enabled, event, test_end};

const ROUNDS: usize = 301;
const CALLS: u32 = 200_000;

#[inline(never)]
fn empty(value: u64) {
    black_box(value);
}

fn an_event(value: u64) {
    event!("cost", id = format!("test {value}"), data = value.to_le_bytes());
}

fn an_end(value: u64) {
    test_end!(id = format!("test {value}"), status = Status::Passed, attempt = 1);
}

/// ns a call in one round.
fn round(call: impl Fn(u64)) -> f64 {
    let start = Instant::now();
    for value in 0..CALLS {
        call(black_box(u64::from(value)));
    }
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn main() {
    let mut samples: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        samples[0].push(round(|value| {
            black_box(value);
        }));
        samples[1].push(round(empty));
        samples[2].push(round(an_event));
        samples[3].push(round(an_end));
    }
    let [bare_loop, empty_call, event_off, test_end_off] = samples.map(median);
    let listened = Marker::ALL.into_iter().any(enabled);
    println!(
        "{{\"unit\": \"ns\", \"rounds\": {ROUNDS}, \"calls_a_round\": {CALLS}, \"listened_to\": {listened}, \
         \"bare_loop\": {bare_loop:.3}, \"empty_call\": {empty_call:.3}, \"event_off\": {event_off:.3}, \
         \"test_end_off\": {test_end_off:.3}, \
         \"event_off_above_empty_call\": {:.3}}}",
        event_off - empty_call
    );
}
