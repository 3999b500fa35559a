//! Processes that fire: `child` is a new program, `fork` runs on in a copy of this one, `grandchild` is a copy's copy,
//! `daemon` a copy's copy whose parent has ended, in a session of its own; `exec_thread` is a program that a thread
//! other than the first executes. Each is waited for.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setsid};

use crate::hits;

/// Does what `verb` says, if it is known here.
pub(crate) fn obey(verb: &str, count: u64) -> Result<bool> {
    match verb {
        "child" => program(&format!("threads 1 {count}"))?,
        "exec_thread" => program(&format!("execute {count}"))?,
        "execute" => {
            std::thread::spawn(move || execute(count)).join().ok().context("the thread panicked")??
        }
        "fork" => wait(copy(|| hits(0, count))?)?,
        "grandchild" => wait(copy(|| wait(copy(|| hits(0, count))?))?)?,
        "daemon" => daemon(count)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Runs this program anew with one line.
fn program(line: &str) -> Result<()> {
    let status = Command::new(std::env::current_exe()?).arg(line).status()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// Replaces this process with this program anew.
fn execute(count: u64) -> Result<()> {
    Err(Command::new(std::env::current_exe()?).arg(format!("threads 1 {count}")).exec().into())
}

/// A copy of this process that does one thing and ends.
fn copy(what: impl FnOnce() -> Result<()>) -> Result<Pid> {
    // SAFETY: this program has no other threads at this time, so that the copy may do whatever this one may.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => std::process::exit(i32::from(what().is_err())),
    }
}

fn wait(child: Pid) -> Result<()> {
    let status = waitpid(child, None)?;
    ensure!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    Ok(())
}

/// A daemon fires; it has ended when the last writer of the pipe is gone.
fn daemon(count: u64) -> Result<()> {
    let (mut end, writer) = std::io::pipe()?;
    let child = copy(|| {
        setsid()?;
        copy(|| hits(0, count)).map(drop)
    })?;
    drop(writer);
    wait(child)?;
    end.read_to_end(&mut Vec::new())?;
    Ok(())
}
