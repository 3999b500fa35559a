//! One run of a program: a line on its standard input, a time limit, and its whole process group ended after it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigHandler, SigSet, Signal, killpg, signal};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Output of which only the end is kept.
const TAIL: usize = 512;
/// Output that is read as fast as it comes; what follows is read slowly, so that a flood costs the agent no CPU.
const READ_AT_ONCE: u64 = 1 << 20;
/// How slowly: a read of at most 64 KiB, then this pause.
const PAUSE: Duration = Duration::from_millis(10);
/// The last output of a program that has ended is waited for so long: a process that it left may hold the pipe.
const LAST_OUTPUT: Duration = Duration::from_millis(100);

/// How long a run may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The whole run.
    pub(super) timeout: Duration,
    /// From SIGTERM to SIGKILL after a timeout.
    pub(super) grace: Duration,
    /// The same when the handler is ended.
    pub(super) stop_grace: Duration,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It took too long.
    TimedOut,
    /// The handler was ended.
    Stopped,
}

/// A finished run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) ended: Ended,
    /// The end of its standard error, or of its standard output if that is empty.
    pub(super) tail: Vec<u8>,
}

/// Runs a prepared command with `line` and a newline on its standard input. It gets a process group of its own,
/// the default signal mask, and no descriptor beside the standard ones.
///
/// # Errors
/// It can't be started, or not be waited for.
pub(super) async fn run(
    mut command: Command,
    line: &[u8],
    limits: Limits,
    stop: &mut watch::Receiver<bool>,
) -> io::Result<Run> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    // SAFETY: between fork and exec `prepare` makes async-signal-safe system calls only: it allocates nothing and
    // takes no lock.
    unsafe { command.pre_exec(prepare) };
    let mut group = Group::new(command.spawn()?)?;
    let child = &mut group.child;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let stdin = pipe::Sender::from_owned_fd(stdin.into())?;
    let stdout = pipe::Receiver::from_owned_fd(stdout.into())?;
    let stderr = pipe::Receiver::from_owned_fd(stderr.into())?;
    let (said, complained) = (Mutex::default(), Mutex::default());
    let io = async {
        tokio::join!(feed(stdin, line), keep_tail(stdout, &said), keep_tail(stderr, &complained));
    };
    tokio::pin!(io);

    let deadline = Instant::now() + limits.timeout;
    let mut io_done = false;
    let ended = loop {
        tokio::select! {
            exited = group.exited() => {
                exited?;
                break None;
            }
            () = sleep_until(deadline) => break Some((Ended::TimedOut, limits.grace)),
            () = stopped(stop) => break Some((Ended::Stopped, limits.stop_grace)),
            () = &mut io, if !io_done => io_done = true,
        }
    };
    let ended = match ended {
        None => {
            if !io_done {
                // Who still holds the pipes is none of ours: the program itself has ended.
                let _ = timeout(LAST_OUTPUT, &mut io).await;
            }
            Ended::Exited(group.reap()?)
        }
        Some((ended, grace)) => {
            group.signal(Signal::SIGTERM);
            let dying = async {
                tokio::select! {
                    exited = group.exited() => exited,
                    () = async { (&mut io).await; std::future::pending().await }, if !io_done => Ok(()),
                }
            };
            if timeout(grace, dying).await.is_err() {
                group.signal(Signal::SIGKILL);
                group.exited().await?;
            }
            // Whoever of the group is left goes too. The group's number is safe until its leader is waited for.
            group.signal(Signal::SIGKILL);
            group.reap()?;
            ended
        }
    };
    let take =
        |tail: &Mutex<Vec<u8>>| std::mem::take(&mut *tail.lock().unwrap_or_else(PoisonError::into_inner));
    let (said, complained) = (take(&said), take(&complained));
    Ok(Run { ended, tail: if complained.is_empty() { said } else { complained } })
}

/// Waits until the handler is to end at once.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the handler is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// In the child, before the program begins.
fn prepare() -> io::Result<()> {
    for number in Signal::iterator() {
        // SAFETY: the default disposition runs no code of ours. SIGKILL and SIGSTOP refuse, and have it anyway.
        let _ = unsafe { signal(number, SigHandler::SigDfl) };
    }
    SigSet::empty().thread_set_mask()?;
    // Closed at the exec, not now: the standard library tells through a descriptor of its own that exec failed.
    // SAFETY: the call only sets flags of this process's descriptors. A kernel before 5.11 refuses it, and then
    // what the agent itself has opened is closed all the same.
    let _ = unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
    Ok(())
}

/// Writes the line and closes. A program need not read: it may close its input (EPIPE) or leave it full.
async fn feed(mut stdin: pipe::Sender, line: &[u8]) {
    if stdin.write_all(line).await.is_ok() {
        let _ = stdin.write_all(b"\n").await;
    }
}

/// Reads to the end and keeps the last [`TAIL`] bytes.
async fn keep_tail(mut output: pipe::Receiver, tail: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 4096];
    let mut total = 0_u64;
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&buffer[count.saturating_sub(TAIL)..count]);
            let surplus = tail.len().saturating_sub(TAIL);
            tail.drain(..surplus);
        }
        let before = total;
        total += count as u64;
        if total > READ_AT_ONCE && total >> 16 != before >> 16 {
            sleep(PAUSE).await;
        }
    }
}

/// A process and its group. When it is dropped too early, the group is killed.
struct Group {
    child: Child,
    leader: Pid,
    pidfd: AsyncFd<OwnedFd>,
    reaped: bool,
}

impl Group {
    fn new(mut child: Child) -> io::Result<Self> {
        let leader = i32::try_from(child.id()).map_err(io::Error::other)?;
        let watched = rustix::process::Pid::from_raw(leader)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
            .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::NONBLOCK)?))
            .and_then(watch_end);
        match watched {
            Ok(pidfd) => Ok(Self { child, leader: Pid::from_raw(leader), pidfd, reaped: false }),
            Err(error) => {
                let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
                collect(&mut child);
                Err(error)
            }
        }
    }

    /// Waits until the leader has ended; it is still to be waited for.
    async fn exited(&self) -> io::Result<()> {
        self.pidfd.readable().await.map(|_| ())
    }

    fn signal(&self, signal: Signal) {
        // An error means that all of the group have gone.
        let _ = killpg(self.leader, signal);
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::SIGKILL);
            collect(&mut self.child);
        }
    }
}

fn watch_end(pidfd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd keeps one and the same open descriptor as long as the AsyncFd owns it.
    let watched = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    watched.map_err(io::Error::from)
}

/// Waits for a killed process, but not for ever: one that is stuck in the kernel is left to init.
fn collect(child: &mut Child) {
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}
