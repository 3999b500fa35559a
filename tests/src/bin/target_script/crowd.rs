//! `crowd N`: N copies of this process each begin a test, and once all have, they are killed, one right after the other.

use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pause};
use sidecar_tests::kernel::raw;

/// Does it.
pub(crate) fn die(count: u64) -> Result<()> {
    let (mut begun, mut begins) = std::io::pipe()?;
    let mut copies = Vec::new();
    for number in 0..count {
        // SAFETY: this program has no other threads at this time, so that the copy may do whatever this one may.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => copies.push(child),
            ForkResult::Child => {
                let id = format!("crowd_{number}\0");
                raw::start(number, id.as_ptr() as u64, 0, 0, 0, 0);
                let told = begins.write_all(&[1]);
                while told.is_ok() {
                    pause();
                }
                std::process::exit(1);
            }
        }
    }
    begun.read_exact(&mut vec![0; usize::try_from(count)?])?;
    let killed = copies.iter().map(|&copy| kill(copy, Signal::SIGKILL).context("killing a copy"));
    killed.collect::<Result<()>>()?;
    copies.into_iter().try_for_each(wait)
}

fn wait(copy: Pid) -> Result<()> {
    let status = waitpid(copy, None)?;
    ensure!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
    Ok(())
}
