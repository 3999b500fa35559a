//! The demonstration suite: instrumented tests of every outcome. Many fail on purpose.
//!
//! `cargo test -p sidecar-demo --test suite` runs it, alone or under `sidecar exec`. How each test ends is
//! in `expected.json`; the `suite::` in front of the names is this program's crate.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod cart;
mod names;
mod outcomes;
mod payments;
mod prices;
mod stock;
