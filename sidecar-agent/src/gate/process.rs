//! The gate process, seen from outside: its options, its errors, and how it runs.

use super::mounts::Filesystems;
use super::serve::{Server, send};
use super::wire::{Stage, ToAgent};
use nix::errno::Errno;
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use thiserror::Error;

/// Options of the gate process; the agent passes them on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOptions {
    /// Process id of the agent, the parent.
    pub agent: u32,
    /// How long an exec is held at most.
    pub deadline: Duration,
    /// How many are held at a time at most.
    pub max_held: u32,
    /// Which filesystems are watched.
    pub filesystems: Filesystems,
    /// Standard output is the BPF map of the watched processes ([`tree_map`]).
    pub tree_map: bool,
    /// The whole node is watched, not the agent's tree.
    pub node: bool,
    /// Then, globs of the files that are asked for; none: every file.
    pub files: Vec<String>,
}

impl ProcessOptions {
    /// The command line that says the same, without the program and the verb.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            format!("--agent={}", self.agent).into(),
            format!("--deadline-ms={}", self.deadline.as_millis()).into(),
            format!("--max-held={}", self.max_held).into(),
        ];
        if self.tree_map {
            args.push("--tree-map".into());
        }
        if self.node {
            args.push("--node".into());
        }
        args.extend(self.files.iter().map(|glob| format!("--file={glob}").into()));
        if let Filesystems::Only(paths) = &self.filesystems {
            for path in paths {
                let mut arg = OsString::from("--only=");
                arg.push(path);
                args.push(arg);
            }
        }
        args
    }
}

/// Why the gate process ended early. The agent is told too, if it still listens.
#[derive(Debug, Error)]
pub enum GateProcessError {
    /// The process was not started by the agent.
    #[error("this verb is started by sidecar itself, with a socket as standard input")]
    NotStartedByAgent,
    /// The process could not be set up.
    #[error("setting up the gate process failed: {0}")]
    Setup(Errno),
    /// fanotify is not permitted or not supported.
    #[error("fanotify_init failed: {0}")]
    Init(Errno),
    /// No filesystem could be watched.
    #[error("no filesystem could be watched: {0}")]
    Mark(Errno),
    /// Waiting failed.
    #[error("waiting for events failed: {0}")]
    Wait(Errno),
    /// The kernel could not hand out an event. It then refuses the exec, so the gate leaves at once.
    #[error("reading a fanotify event failed: {0}")]
    Read(Errno),
}

impl GateProcessError {
    fn message(&self) -> Option<ToAgent> {
        let (stage, errno) = match self {
            Self::NotStartedByAgent | Self::Wait(_) | Self::Read(_) => return None,
            Self::Setup(errno) => (Stage::Setup, errno),
            Self::Init(errno) => (Stage::Init, errno),
            Self::Mark(errno) => (Stage::Mark, errno),
        };
        Some(ToAgent::Failed { stage, errno: *errno as i32 })
    }
}

/// The BPF map of watched processes that the agent passed as standard output ([`ProcessOptions::tree_map`]).
///
/// # Errors
/// No descriptor is free.
pub fn tree_map() -> io::Result<OwnedFd> {
    io::stdout().as_fd().try_clone_to_owned()
}

/// Runs the gate until the agent ends or says so. `is_watched` tells whether a process that executes a file is to wait; it
/// is asked for each exec on the machine, so it should be quick.
///
/// Call it from the process's only thread.
///
/// # Errors
/// See [`GateProcessError`].
pub fn run(
    options: &ProcessOptions,
    is_watched: impl FnMut(u32, BorrowedFd<'_>) -> bool,
) -> Result<(), GateProcessError> {
    let stdin = io::stdin();
    if socket_type(stdin.as_fd()) != Ok(SocketType::SEQPACKET) {
        return Err(GateProcessError::NotStartedByAgent);
    }
    let result = Server::start(options, stdin.as_fd(), is_watched).and_then(Server::serve);
    if let Some(message) = result.as_ref().err().and_then(GateProcessError::message) {
        let _ = send(stdin.as_fd(), &message, None);
    }
    result
}
