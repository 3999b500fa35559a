//! A Rust program that calls the C library.

use std::ffi::{c_char, c_void};
use std::ptr::null;

#[link(name = "sidecar", kind = "static")]
unsafe extern "C" {
    fn sidecar_event(
        key: u64,
        event_type: *const c_char,
        test_id: *const c_char,
        run_id: *const c_char,
        data: *const c_void,
        data_len: usize,
    );
}

fn main() {
    // SAFETY: the strings end with NUL, and the others are not given.
    unsafe { sidecar_event(0, c"inside".as_ptr(), null(), c"run".as_ptr(), null(), 0) }
    let caught = std::panic::catch_unwind(|| panic!("on purpose")).is_err();
    std::process::exit(if caught { 7 } else { 1 });
}
