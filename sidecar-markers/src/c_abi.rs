//! The C ABI. `include/sidecar.h` documents it for its users.
//!
//! No entry point allocates, locks, makes a system call, touches `errno` or unwinds. What it does for a listener is a
//! function of its own (`*_on`), so that for nobody it is nothing but the test.

use std::ffi::{c_char, c_int, c_void};

use crate::text::{LIMIT, c_string};
use crate::{Marker, enabled, fire, identity};

/// Version of this ABI: `SIDECAR_ABI_VERSION` of the header.
const ABI_VERSION: u32 = 1;

/// The version of the C ABI that this library has.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn sidecar_abi_version() -> u32 {
    ABI_VERSION
}

/// 1 while somebody listens to the marker of this number, else 0; 0 for unknown numbers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn sidecar_enabled(marker: u32) -> c_int {
    Marker::ALL.get(marker as usize).is_some_and(|marker| enabled(*marker)).into()
}

/// The key of a test in a run. NULL counts as an empty string.
///
/// # Safety
/// Each pointer is NULL or points to a string that ends with NUL.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sidecar_key(run_id: *const c_char, test_id: *const c_char) -> u64 {
    // SAFETY: the caller's word is that of `bytes`.
    unsafe { identity::key_of(bytes(run_id), bytes(test_id)) }
}

/// The bytes of a C string without its NUL; none for NULL.
///
/// # Safety
/// `text` is NULL or points to a string that ends with NUL and outlives the iterator.
unsafe fn bytes(text: *const c_char) -> impl Iterator<Item = u8> {
    let mut next = text.cast::<u8>();
    std::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: `next` is in the string, at its NUL at the latest: behind that it is never moved.
        let byte = unsafe { next.read() };
        if byte == 0 {
            return None;
        }
        // SAFETY: the byte was not the NUL, so one more follows.
        next = unsafe { next.add(1) };
        Some(byte)
    })
}

/// Fires `test_start`.
///
/// # Safety
/// Each pointer is NULL or points to a string that ends with NUL or is at least 1,028 bytes long.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sidecar_test_start(
    key: u64,
    test_id: *const c_char,
    run_id: *const c_char,
    suite: *const c_char,
    attempt: u32,
) {
    if enabled(Marker::TestStart) {
        // SAFETY: the caller's word is that of the function for listeners.
        unsafe { test_start_on(key, test_id, run_id, suite, attempt) }
    }
}

/// Copies the strings and fires.
///
/// # Safety
/// As [`sidecar_test_start`].
#[cold]
#[inline(never)]
unsafe extern "C" fn test_start_on(
    key: u64,
    test_id: *const c_char,
    run_id: *const c_char,
    suite: *const c_char,
    attempt: u32,
) {
    // SAFETY: the caller's word is that of `c_string`.
    let (test_id, run_id, suite) = unsafe { (c_string(test_id), c_string(run_id), c_string(suite)) };
    fire::test_start(&fire::Start { key, test_id, run_id, suite, attempt });
}

/// Fires `test_end`.
///
/// # Safety
/// Each pointer is NULL or points to a string that ends with NUL or is at least 1,028 bytes long.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sidecar_test_end(
    key: u64,
    test_id: *const c_char,
    status: u32,
    duration_ns: u64,
    message: *const c_char,
    attempt: u32,
) {
    if enabled(Marker::TestEnd) {
        // SAFETY: the caller's word is that of the function for listeners.
        unsafe { test_end_on(key, test_id, status, duration_ns, message, attempt) }
    }
}

/// Copies the strings and fires.
///
/// # Safety
/// As [`sidecar_test_end`].
#[cold]
#[inline(never)]
unsafe extern "C" fn test_end_on(
    key: u64,
    test_id: *const c_char,
    status: u32,
    duration_ns: u64,
    message: *const c_char,
    attempt: u32,
) {
    // SAFETY: the caller's word is that of `c_string`.
    let (test_id, message) = unsafe { (c_string(test_id), c_string(message)) };
    fire::test_end(&fire::End { key, test_id, status, duration_ns, message, attempt });
}

/// Fires `event`.
///
/// # Safety
/// Each string is NULL or points to a string that ends with NUL or is at least 1,028 bytes long; `data` is
/// NULL or points to `data_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sidecar_event(
    key: u64,
    event_type: *const c_char,
    test_id: *const c_char,
    run_id: *const c_char,
    data: *const c_void,
    data_len: usize,
) {
    if enabled(Marker::Event) {
        // SAFETY: the caller's word is that of the function for listeners.
        unsafe { event_on(key, event_type, test_id, run_id, data, data_len) }
    }
}

/// Copies the strings and fires.
///
/// # Safety
/// As [`sidecar_event`].
#[cold]
#[inline(never)]
unsafe extern "C" fn event_on(
    key: u64,
    event_type: *const c_char,
    test_id: *const c_char,
    run_id: *const c_char,
    data: *const c_void,
    data_len: usize,
) {
    // SAFETY: the caller's word is that of `c_string`.
    let (event_type, test_id, run_id) =
        unsafe { (c_string(event_type), c_string(test_id), c_string(run_id)) };
    // A slice may not be longer than isize::MAX, and no more than this is copied.
    let carried = data_len.min(LIMIT + 1);
    // SAFETY: not NULL, so the caller's word is that these bytes can be read.
    let data = (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data.cast::<u8>(), carried) });
    fire::event(&fire::Happened { key, event_type, test_id, run_id, data });
}

/// Fires `anomaly`.
///
/// # Safety
/// Each pointer is NULL or points to a string that ends with NUL or is at least 1,028 bytes long.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sidecar_anomaly(signal: *const c_char, kind: *const c_char) {
    if enabled(Marker::Anomaly) {
        // SAFETY: the caller's word is that of the function for listeners.
        unsafe { anomaly_on(signal, kind) }
    }
}

/// Copies the strings and fires.
///
/// # Safety
/// As [`sidecar_anomaly`].
#[cold]
#[inline(never)]
unsafe extern "C" fn anomaly_on(signal: *const c_char, kind: *const c_char) {
    // SAFETY: the caller's word is that of `c_string`.
    let (signal, kind) = unsafe { (c_string(signal), c_string(kind)) };
    fire::anomaly(signal, kind);
}

#[cfg(test)]
mod tests {
    use std::ptr::null;

    use super::*;
    use crate::witness::{Hit, hits, listen};

    #[test]
    fn null_is_fine_everywhere() {
        // SAFETY: NULL is allowed.
        let seen = hits(|| unsafe {
            sidecar_test_start(1, null(), null(), null(), 2);
            sidecar_test_end(1, null(), 3, 4, null(), 5);
            sidecar_event(1, null(), null(), null(), null(), 6);
            sidecar_anomaly(null(), null());
        });
        assert_eq!(
            seen,
            [
                Hit::Start { key: 1, test_id: None, run_id: None, suite: None, attempt: 2 },
                Hit::End { key: 1, test_id: None, status: 3, duration_ns: 4, message: None, attempt: 5 },
                Hit::Event { key: 1, event_type: None, test_id: None, run_id: None, data: None },
                Hit::Anomaly { signal: None, kind: None },
            ]
        );
    }

    #[test]
    fn arguments_arrive_in_their_places_whatever_they_hold() {
        let some = |text: &str| Some(text.to_owned());
        // SAFETY: NUL-terminated literals, and the length of the data.
        let seen = hits(|| unsafe {
            sidecar_test_start(u64::MAX, c"id".as_ptr(), c"".as_ptr(), c"\xff".as_ptr(), u32::MAX);
            sidecar_test_end(7, c"id".as_ptr(), 99, 8, c"why".as_ptr(), 9);
            sidecar_event(7, c"type".as_ptr(), c"id".as_ptr(), c"run".as_ptr(), b"a\0b".as_ptr().cast(), 3);
            sidecar_anomaly(c"signal".as_ptr(), c"kind".as_ptr());
        });
        assert_eq!(
            seen,
            [
                Hit::Start {
                    key: u64::MAX,
                    test_id: some("id"),
                    run_id: some(""),
                    suite: some("\u{fffd}"),
                    attempt: u32::MAX
                },
                Hit::End {
                    key: 7,
                    test_id: some("id"),
                    status: 99,
                    duration_ns: 8,
                    message: some("why"),
                    attempt: 9
                },
                Hit::Event {
                    key: 7,
                    event_type: some("type"),
                    test_id: some("id"),
                    run_id: some("run"),
                    data: Some(b"a\0b".to_vec())
                },
                Hit::Anomaly { signal: some("signal"), kind: some("kind") },
            ]
        );
    }

    #[test]
    fn the_key_is_that_of_rust_and_null_is_empty() {
        // SAFETY: NUL-terminated literals and NULL.
        unsafe {
            assert_eq!(sidecar_key(c"run".as_ptr(), c"test".as_ptr()), crate::key("run", "test"));
            assert_eq!(sidecar_key(null(), c"test".as_ptr()), crate::key("", "test"));
            assert_eq!(sidecar_key(null(), null()), crate::key("", ""));
        }
    }

    #[test]
    fn markers_are_numbered_and_others_are_off() {
        listen();
        for (number, marker) in (0..).zip(Marker::ALL) {
            assert_eq!(marker as u32, number);
            assert_eq!(sidecar_enabled(number), 1);
        }
        assert_eq!(sidecar_enabled(4), 0);
        assert_eq!(sidecar_enabled(u32::MAX), 0);
        assert_eq!(sidecar_abi_version(), 1);
    }
}
