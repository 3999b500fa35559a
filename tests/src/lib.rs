//! What the black-box and kernel tests share.

pub mod agent;
pub mod bench;
pub mod churn;
pub mod client;
pub mod exec;
pub mod junit;
pub mod kernel;
pub mod libsidecar;
pub mod node;
pub mod process;
pub mod pty;
pub mod suite;
