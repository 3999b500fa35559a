//! Churn: processes that come and go, and programs that are made, run and deleted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};

/// Compiles a program that does nothing, without a library, so that it takes little time to start.
///
/// # Errors
/// When the compiler fails.
pub fn nothing(path: &Path) -> Result<()> {
    let source = path.with_extension("c");
    fs::write(&source, "int main(void) { return 0; }\n")?;
    let output = Command::new("cc").args(["-O1", "-static", "-o"]).arg(path).arg(&source).output()?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Starts a program so many times, from several threads, each to its end. How often it was started.
///
/// # Errors
/// When it can't be started or fails.
pub fn processes(program: &Path, count: u64, threads: u64) -> Result<u64> {
    let left = AtomicU64::new(count);
    let run = || -> Result<u64> {
        let mut started = 0;
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            // Without a hook before the exec this is a vfork.
            let status = Command::new(program).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
            ensure!(status.success(), "{}: {status}", program.display());
            started += 1;
        }
        Ok(started)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let mut started = 0;
        for thread in threads {
            started += thread.join().ok().context("a thread panicked")??;
        }
        Ok(started)
    })
}

/// Makes so many copies of a program in a folder, each a file of its own.
///
/// # Errors
/// When there is no room.
pub fn copies(program: &Path, folder: &Path, count: usize) -> Result<Vec<PathBuf>> {
    let mut made = Vec::with_capacity(count);
    for i in 0..count {
        let path = folder.join(format!("copy{i}"));
        fs::copy(program, &path)?;
        made.push(path);
    }
    Ok(made)
}

/// Descriptors that a process has open.
///
/// # Errors
/// When it is gone.
pub fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}
