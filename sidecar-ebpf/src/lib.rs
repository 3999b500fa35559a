//! The part of the kernel programs that is arithmetic: it compiles for BPF and, for its tests, on the host.
#![cfg_attr(not(test), no_std)]

pub mod boost;
pub mod eval;
pub mod status;
