//! For the unit tests: stands in for the markers and keeps what a tracer would read at each hit.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Once;
use std::sync::atomic::Ordering::Relaxed;

use crate::marker;

/// What one hit carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    Start { key: u64, test_id: Seen, run_id: Seen, suite: Seen, attempt: u32 },
    End { key: u64, test_id: Seen, status: u32, duration_ns: u64, message: Seen, attempt: u32 },
    Event { key: u64, event_type: Seen, test_id: Seen, run_id: Seen, data: Option<Vec<u8>> },
    Anomaly { signal: Seen, kind: Seen },
}

/// A string argument; `None` is NULL.
pub(crate) type Seen = Option<String>;

thread_local! {
    static HITS: RefCell<Vec<Hit>> = const { RefCell::new(Vec::new()) };
}

/// Raises every semaphore, as a kernel with a tracer does, for as long as this process lives.
pub(crate) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        for semaphore in &marker::SEMAPHORES.0 {
            semaphore.fetch_add(1, Relaxed);
        }
    });
}

/// The hits of this thread while `body` ran.
pub(crate) fn hits(body: impl FnOnce()) -> Vec<Hit> {
    listen();
    HITS.take();
    body();
    HITS.take()
}

fn seen(text: *const c_char) -> Seen {
    // SAFETY: the library passes NULL or a string that it has ended with NUL.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

fn keep(hit: Hit) {
    HITS.with_borrow_mut(|hits| hits.push(hit));
}

pub(crate) fn test_start(
    key: u64,
    test_id: *const c_char,
    run_id: *const c_char,
    suite: *const c_char,
    attempt: u32,
) {
    keep(Hit::Start { key, test_id: seen(test_id), run_id: seen(run_id), suite: seen(suite), attempt });
    marker::test_start(key, test_id, run_id, suite, attempt);
}

pub(crate) fn test_end(
    key: u64,
    test_id: *const c_char,
    status: u32,
    duration_ns: u64,
    message: *const c_char,
    attempt: u32,
) {
    keep(Hit::End { key, test_id: seen(test_id), status, duration_ns, message: seen(message), attempt });
    marker::test_end(key, test_id, status, duration_ns, message, attempt);
}

pub(crate) fn event(
    key: u64,
    event_type: *const c_char,
    test_id: *const c_char,
    run_id: *const c_char,
    data: *const c_void,
    data_len: u64,
) {
    // SAFETY: the library passes NULL or this many bytes.
    let bytes = (!data.is_null())
        .then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), data_len as usize) }.to_vec());
    keep(Hit::Event {
        key,
        event_type: seen(event_type),
        test_id: seen(test_id),
        run_id: seen(run_id),
        data: bytes,
    });
    marker::event(key, event_type, test_id, run_id, data, data_len);
}

pub(crate) fn anomaly(signal: *const c_char, kind: *const c_char) {
    keep(Hit::Anomaly { signal: seen(signal), kind: seen(kind) });
    marker::anomaly(signal, kind);
}
