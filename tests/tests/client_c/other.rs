//! Another Rust library for C programs, with the standard library, a panic and its catching in it.

use std::ffi::c_int;

/// Catches a panic of its own.
#[unsafe(no_mangle)]
pub extern "C" fn other_catches() -> c_int {
    let text: String = vec!["another", "library"].join(" ");
    c_int::from(std::panic::catch_unwind(|| assert!(text.is_empty())).is_err())
}
