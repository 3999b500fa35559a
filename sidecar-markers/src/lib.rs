//! What a test links so that `sidecar` can watch it from outside: markers that cost a load and a branch
//! while nobody listens.
//!
//! ```
//! fn adds() {
//!     let test = sidecar_markers::test!(); // ends when dropped: passed, or failed by a panic
//!     sidecar_markers::event!("adding", test = &test, data = "1 + 1");
//!     assert_eq!(1 + 1, 2);
//! }
//! # adds();
//! ```
//!
//! - [`test!`] makes a [`TestGuard`] for a test that is a function; [`TestGuard::run`] also reports a panic's
//!   message and a returned error.
//! - [`test_start!`] and [`test_end!`] are for test frameworks, [`event!`] and [`anomaly!`] for anything else
//!   worth telling. None evaluates its arguments while nobody listens.
//! - All may be used on any thread, in destructors, while a panic unwinds and in forked children. In a signal handler
//!   they may be used where `run` is given and no text has to be built: the id of the run is made at its first use.
//! - C and C++ use `include/sidecar.h` with `libsidecar_markers.so` or `.a`.
//!
//! # What a tracer sees
//! Four USDT markers of the provider `sidecar`, each with one site and a semaphore, whatever tracer reads them:
//!
//! | marker | arguments |
//! | --- | --- |
//! | `test_start` | key `u64`, test id, run id, suite, attempt `u32` |
//! | `test_end` | key `u64`, test id, status `u32` ([`Status`]), duration in ns `u64`, message, attempt `u32` |
//! | `event` | key `u64`, type, test id, run id, data, length of data `u64` |
//! | `anomaly` | signal, kind |
//!
//! Strings end with NUL and may be NULL (not given). Strings and data are cut at 1 KiB: a cut string is 1,024
//! to 1,027 bytes long (whole characters), cut data 1,025 bytes, so that a reader with a limit of 1 KiB sees
//! that something is missing. An interior NUL ends a string. On x86-64 the site is a 1-byte nop; 1
//! byte behind it is a 5-byte nop and 6 bytes behind it a 10-byte one, for tracers that know when these are safe.
//!
//! A test's start, events and end carry one [`key`]. On targets other than 64-bit x86-64 and aarch64 Linux the
//! markers are permanently off, and everything else works.

mod builders;
mod c_abi;
mod fire;
mod guard;
mod identity;
mod macros;
mod marker;
mod text;
#[cfg(test)]
mod witness;

use std::sync::atomic::Ordering;

pub use builders::{Anomaly, Event, TestEnd, TestStart, Text};
pub use guard::{Outcome, TestBuilder, TestGuard};
#[doc(hidden)]
pub use identity::enclosing_function;
pub use identity::{key, run_id};
pub use sidecar_common::Status;

/// A marker. The numbers are those of the C ABI's `sidecar_enabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Marker {
    /// `test_start`.
    TestStart = 0,
    /// `test_end`.
    TestEnd = 1,
    /// `event`.
    Event = 2,
    /// `anomaly`.
    Anomaly = 3,
}

impl Marker {
    /// Every marker in the order of its number.
    pub const ALL: [Self; 4] = [Self::TestStart, Self::TestEnd, Self::Event, Self::Anomaly];
}

/// Whether somebody listens to a marker: one relaxed load of its semaphore (whose address position-independent code
/// takes from a table).
#[inline(always)]
#[must_use]
pub fn enabled(marker: Marker) -> bool {
    marker::SEMAPHORES.0[marker as usize].load(Ordering::Relaxed) != 0
}
