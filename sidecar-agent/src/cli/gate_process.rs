//! `sidecar gate-process`: what the agent passes to the gate process (see [`crate::gate`]).

use crate::gate::{Filesystems, ProcessOptions};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Holds programs until they are watched. Started by `exec` itself.
#[derive(Args, Debug)]
pub struct GateProcessArgs {
    /// Process id of the agent.
    #[arg(long, value_name = "PID")]
    agent: u32,
    /// How long a program is held at most, in milliseconds.
    #[arg(long, value_name = "MS")]
    deadline_ms: u64,
    /// How many programs are held at a time at most.
    #[arg(long, value_name = "NUMBER")]
    max_held: u32,
    /// Standard output is the BPF map of the watched processes.
    #[arg(long)]
    tree_map: bool,
    /// Watch only the filesystem that holds this path; may be repeated.
    #[arg(long, value_name = "PATH")]
    only: Vec<PathBuf>,
    /// Every process of the node is watched.
    #[arg(long)]
    node: bool,
    /// Of the node, only files that this glob matches; may be repeated.
    #[arg(long, value_name = "GLOB")]
    file: Vec<String>,
}

impl From<GateProcessArgs> for ProcessOptions {
    fn from(args: GateProcessArgs) -> Self {
        let GateProcessArgs { agent, deadline_ms, max_held, tree_map, only, node, file } = args;
        let filesystems = if only.is_empty() { Filesystems::Local } else { Filesystems::Only(only) };
        Self {
            agent,
            deadline: Duration::from_millis(deadline_ms),
            max_held,
            filesystems,
            tree_map,
            node,
            files: file,
        }
    }
}
