//! The agent as a library. The pipeline's stages, each of which imports only stages before it:
//!
//! `config` -> `mapping` -> `elf` -> `spec` -> `bpf` -> `privilege` -> `profiler` -> `attach` -> `event` -> `aggregate` ->
//! `sampling` -> `governor` -> `sinks` -> `handlers` -> `metrics` -> `health` -> `control` -> `stream` -> `http` ->
//! `gate` -> `cli` -> `check` -> `client` -> `probes` -> `doctor` -> `observe` -> `exec`, `runtime`, `run` (which put them together).
pub mod aggregate;
pub mod attach;
pub mod bpf;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod control;
pub mod doctor;
pub mod elf;
pub mod event;
pub mod exec;
pub mod gate;
pub mod governor;
pub mod handlers;
pub mod health;
pub mod http;
pub mod mapping;
pub mod metrics;
pub mod observe;
pub mod privilege;
pub mod probes;
pub mod profiler;
pub mod run;
pub mod runtime;
pub mod sampling;
pub mod sinks;
pub mod spec;
pub mod stream;

/// The snippets of the quick start, which are tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/quick_start.md")]
pub struct QuickStart;
