//! Holds the start of programs until their probes are on: those of a watched process tree, or the whole node's.
//!
//! The kernel asks (a fanotify permission event) before it executes a file. The one who is asked is a small
//! process of its own, the *gate*, so that a stopped, stuck or killed agent delays nobody past the deadline:
//! the gate lets go at the deadline, ends when the agent ends, and when the gate itself dies the kernel lets
//! everyone go. Only the gate ever holds the fanotify descriptor, because the kernel keeps waiting while
//! any process holds it; the agent gets the files in question over a socket.
//!
//! ```text
//! exec of a file -> kernel -> gate: not watched, or known image? -> go on at once
//!                                   else file -> agent: attach -> answer -> gate -> go on
//!                                        (or the deadline, whichever is first)
//! ```
//!
//! What it does not see: files on network and FUSE filesystems (a server that hangs would hang the gate, and
//! the kernel refuses the exec of a file that root can't open), `memfd` files, and filesystems that exist
//! only in another mount namespace. [`Gate::unmarked`] names the mounts that are left out.
//!
//! The kernel's question is asked for every exec on a marked filesystem, of any process. So a gate process
//! that is itself stopped would delay all of them. It runs in a session of its own so that job control can't stop it; the
//! agent looks twice a second whether it is stopped, and kills it then. A cgroup that is frozen with both in it delays
//! execs until it is thawed.
mod agent;
mod desk;
mod files;
mod identity;
mod mounts;
mod process;
mod recent;
mod serve;
mod setup;
mod stats;
#[cfg(test)]
mod tests;
mod tree;
mod watchdog;
mod wire;

pub use agent::{Gate, GateError, Options, Request};
pub use files::Files;
pub use mounts::{Filesystems, waiting};
pub use process::{GateProcessError, ProcessOptions, run, tree_map};
pub use stats::GateStats;
pub use tree::Ancestry;
pub use wire::WireError;
