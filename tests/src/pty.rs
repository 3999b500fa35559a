//! A terminal for a command: what a user sees, and the keys that a user presses.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, ensure};

use crate::exec::until;

/// A command in a session of its own on a terminal of its own.
pub struct Terminal {
    child: Child,
    keys: File,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts a command on a new terminal of this size.
    ///
    /// # Errors
    /// When there is no terminal to be had.
    pub fn start(command: &mut Command, rows: u16, columns: u16) -> Result<Self> {
        let (master, slave) = open(rows, columns)?;
        let end = || -> Result<Stdio> { Ok(slave.try_clone()?.into()) };
        command.stdin(end()?).stdout(end()?).stderr(end()?);
        // SAFETY: between fork and exec this makes two system calls and touches no memory.
        unsafe {
            command.pre_exec(|| {
                if libc::setsid() == -1 || libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn()?;
        // The command and this value hold the other end, and the terminal hangs up when nobody does.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut screen = File::from(master);
        let keys = screen.try_clone()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end is an error: EIO, when nobody holds the other side any more.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..count]);
            }
        });
        Ok(Self { child, keys, seen, reader: Some(reader) })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// All that was written to the terminal so far.
    #[must_use]
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until a text was written.
    ///
    /// # Errors
    /// When it is not; with what was.
    pub fn wait_for(&self, text: &str) -> Result<()> {
        until(text, || Ok(self.seen().contains(text).then_some(()))).with_context(|| self.seen())
    }

    /// Presses keys.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.keys.write_all(keys.as_bytes())?)
    }

    /// Changes the terminal's size.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is a terminal's, and the pointer is to a whole winsize.
        let result = unsafe { libc::ioctl(self.keys.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        ensure!(result == 0, "TIOCSWINSZ: {}", std::io::Error::last_os_error());
        Ok(())
    }

    /// The process group in the foreground.
    ///
    /// # Errors
    /// When there is none.
    pub fn foreground(&self) -> Result<i32> {
        let mut group = 0;
        // SAFETY: the descriptor is a terminal's, and the pointer is to a whole pid_t.
        let result = unsafe { libc::ioctl(self.keys.as_raw_fd(), libc::TIOCGPGRP, &raw mut group) };
        ensure!(result == 0, "TIOCGPGRP: {}", std::io::Error::last_os_error());
        Ok(group)
    }

    /// Waits for the command's end and gives what was written.
    ///
    /// # Errors
    /// When it does not end.
    pub fn finish(mut self) -> Result<(ExitStatus, String)> {
        let status =
            until("the command to end", || Ok(self.child.try_wait()?)).with_context(|| self.seen())?;
        if let Some(reader) = self.reader.take() {
            until("the terminal's end", || Ok(reader.is_finished().then_some(())))?;
        }
        Ok((status, self.seen()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; both fail where the command has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both ends of a new terminal.
fn open(rows: u16, columns: u16) -> Result<(OwnedFd, OwnedFd)> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: the pointers are to two integers and a winsize; a name and settings are not asked for.
    let result = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    ensure!(result == 0, "openpty: {}", std::io::Error::last_os_error());
    for end in [master, slave] {
        // SAFETY: F_SETFD takes no pointer. Without it the children of other tests would hold the terminal.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: openpty has just made both, and nobody else knows of them.
    Ok(unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) })
}
