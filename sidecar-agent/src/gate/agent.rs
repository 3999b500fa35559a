//! The agent's side of the gate: starts the gate process, receives its questions, and answers them.

use super::mounts::Filesystems;
use super::process::ProcessOptions;
use super::stats::GateStats;
use super::watchdog;
use super::wire::{MAX_LEN, Stage, ToAgent, ToGate, WireError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType,
    sockopt::{set_socket_send_buffer_size, set_socket_send_buffer_size_force},
};
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long the gate process may take until it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the gate process may take to end by itself.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of questions that may wait in the socket: about 1,000 of them.
const SOCKET_BUFFER: usize = 1 << 20;

/// How the gate behaves.
#[derive(Debug)]
pub struct Options {
    /// How long an exec is held at most.
    pub deadline: Duration,
    /// How many are held at a time at most; the others go on at once.
    pub max_held: u32,
    /// Which filesystems are watched.
    pub filesystems: Filesystems,
    /// A BPF map of the watched processes for the gate process ([`super::tree_map`]). Without it, they are
    /// the agent's descendants.
    pub tree: Option<OwnedFd>,
    /// The whole node is watched: the files that these globs match, or without any, every file.
    pub node: Option<Vec<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(2),
            max_held: 1_024,
            filesystems: Filesystems::Local,
            tree: None,
            node: None,
        }
    }
}

/// Why there is no gate, or none any more.
#[derive(Debug, Error)]
pub enum GateError {
    /// The socket to the gate could not be made.
    #[error("making the socket to the gate process failed: {0}")]
    Socket(io::Error),
    /// The gate process could not be started.
    #[error("starting the gate process failed: {0}")]
    Spawn(io::Error),
    /// The gate process could not set itself up.
    #[error("the gate process could not set itself up: {0}")]
    Setup(io::Error),
    /// fanotify needs a privilege that the agent does not have.
    #[error("holding programs until they are watched needs CAP_SYS_ADMIN: run sidecar as root")]
    NotPermitted,
    /// The kernel has no fanotify permission events.
    #[error("this kernel can't hold programs until they are watched (fanotify permission events): {0}")]
    Unsupported(io::Error),
    /// No filesystem could be watched.
    #[error("no filesystem could be watched for programs that start: {0}")]
    NothingMarked(io::Error),
    /// The gate process did not become ready in time.
    #[error("the gate process was not ready after {} s", START_TIMEOUT.as_secs())]
    NotReady,
    /// The gate process has ended; nobody is held any more.
    #[error("the gate process has ended, so programs are no longer held until they are watched")]
    Ended,
    /// The gate process was stopped, and was killed, so that nobody waits for it.
    #[error(
        "the gate process was stopped and had to be ended; programs are no longer held until they are watched"
    )]
    Stopped,
    /// Receiving from the gate process failed.
    #[error("receiving from the gate process failed: {0}")]
    Receive(io::Error),
    /// Sending to the gate process failed.
    #[error("sending to the gate process failed: {0}")]
    Send(io::Error),
    /// The gate process sent what it should not.
    #[error("the gate process sent what it should not: {0}")]
    Wire(#[from] WireError),
}

/// A process waits to execute a file.
#[derive(Debug)]
pub struct Request {
    /// What [`Gate::answer`] takes.
    pub id: u64,
    /// The file, open for reading. Reading it raises no further question.
    pub file: File,
    /// The process.
    pub pid: u32,
}

/// What the gate said besides its questions.
#[derive(Debug, Default)]
struct Told {
    stats: GateStats,
    unmarked: Vec<String>,
    filesystems: u32,
}

/// A running gate. Dropping it ends the gate process and lets everyone go.
///
/// Its descriptor is non-blocking: wait until it is readable (`poll`, or tokio's `AsyncFd`), call
/// [`Gate::recv`] until it returns `Ok(None)`, and [`Gate::answer`] each question, from any thread. Receive on
/// another thread than the one that starts the command: starting it waits until its exec went through the gate.
#[derive(Debug)]
pub struct Gate {
    socket: OwnedFd,
    process: Mutex<Child>,
    pid: u32,
    told: Mutex<Told>,
}

impl Gate {
    /// Starts the gate process, by executing the agent's own program again with the verb `gate-process`, and
    /// waits until it holds.
    ///
    /// # Errors
    /// See [`GateError`]; nothing is left behind then.
    pub fn start(options: Options) -> Result<Self, GateError> {
        let mut command = Command::new("/proc/self/exe");
        command.arg0("sidecar").arg("gate-process").args(Self::process_options(&options).to_args());
        Self::launch(command, options)
    }

    pub(super) fn process_options(options: &Options) -> ProcessOptions {
        ProcessOptions {
            agent: std::process::id(),
            deadline: options.deadline,
            max_held: options.max_held,
            filesystems: options.filesystems.clone(),
            tree_map: options.tree.is_some(),
            node: options.node.is_some(),
            files: options.node.clone().unwrap_or_default(),
        }
    }

    /// Starts the gate process by a given command.
    pub(super) fn launch(mut command: Command, options: Options) -> Result<Self, GateError> {
        let (socket, theirs) = socket_pair().map_err(|errno| GateError::Socket(errno.into()))?;
        // The gate gets descriptors as standard ones only, so that none is ever inheritable by others, and
        // holds no pipe or terminal of the agent's that somebody waits on.
        command.stdin(theirs).stderr(Stdio::null());
        command.stdout(options.tree.map_or_else(Stdio::null, Stdio::from));
        let process = command.spawn().map_err(GateError::Spawn)?;
        // It holds the gate's end of the socket.
        drop(command);
        let pid = process.id();
        let gate = Self { socket, process: Mutex::new(process), pid, told: Mutex::default() };
        gate.wait_until_ready()?;
        Ok(gate)
    }

    fn wait_until_ready(&self) -> Result<(), GateError> {
        let until = Instant::now() + START_TIMEOUT;
        while self.wait_readable(until)? {
            match self.receive()? {
                Some((ToAgent::Ready { filesystems }, _)) => {
                    self.told().filesystems = filesystems;
                    return Ok(());
                }
                Some((message, file)) => drop(self.take_note(message, file)?),
                None => {}
            }
        }
        Err(GateError::NotReady)
    }

    /// The next question, or None if there is none at the moment.
    ///
    /// # Errors
    /// [`GateError::Ended`] when the gate process is gone; others likewise mean that the gate is of no more
    /// use and is to be dropped.
    pub fn recv(&self) -> Result<Option<Request>, GateError> {
        while let Some((message, file)) = self.receive()? {
            if let Some(request) = self.take_note(message, file)? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    /// Lets a process go on, and any later one that executes the same unchanged file. A late answer does
    /// nothing.
    ///
    /// # Errors
    /// The gate has ended, or does not read at the moment; it lets go by itself then.
    pub fn answer(&self, id: u64) -> Result<(), GateError> {
        self.send(ToGate::Answer { id, remember: true })
    }

    /// Lets a process go on, and asks again when the same file is executed the next time.
    ///
    /// # Errors
    /// As [`Gate::answer`].
    pub fn answer_once(&self, id: u64) -> Result<(), GateError> {
        self.send(ToGate::Answer { id, remember: false })
    }

    /// Asks again for every file: for when other probes are wanted, or when probes were taken off files.
    ///
    /// # Errors
    /// As [`Gate::answer`].
    pub fn forget(&self) -> Result<(), GateError> {
        self.send(ToGate::Forget)
    }

    /// The counts, at most a second old; exact after [`Gate::shutdown`].
    pub fn stats(&self) -> GateStats {
        self.told().stats
    }

    /// Number of filesystems that are watched.
    pub fn filesystems(&self) -> u32 {
        self.told().filesystems
    }

    /// Mounts whose programs are not held, each with the reason.
    pub fn unmarked(&self) -> Vec<String> {
        self.told().unmarked.clone()
    }

    /// Process id of the gate process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets everyone go, ends the gate process, and returns the last counts. Takes at most a second.
    pub fn shutdown(&self) -> GateStats {
        let until = Instant::now() + END_TIMEOUT;
        if self.send(ToGate::Shutdown).is_ok() {
            while self.wait_readable(until).is_ok_and(|readable| readable) {
                match self.receive() {
                    Ok(Some((message, file))) => {
                        if self.take_note(message, file).is_err() {
                            break;
                        }
                    }
                    // Another thread was quicker; the gate's end is still to come.
                    Ok(None) => {}
                    Err(_) => break,
                }
            }
        }
        self.end();
        self.stats()
    }

    /// Whether nothing stops the gate process from letting go. If something does, it is killed, and everyone goes on.
    ///
    /// # Errors
    /// [`GateError::Stopped`].
    pub fn look_after(&self) -> Result<(), GateError> {
        if !watchdog::is_stopped(self.pid) {
            return Ok(());
        }
        self.end();
        Err(GateError::Stopped)
    }

    fn end(&self) {
        let mut process = lock(&self.process);
        // Both fail only if the process was waited for already. Killing it lets everyone go.
        let _ = process.kill();
        let _ = process.wait();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        lock(&self.told)
    }

    fn take_note(&self, message: ToAgent, file: Option<OwnedFd>) -> Result<Option<Request>, GateError> {
        match message {
            ToAgent::Request { id, pid } => match file {
                Some(file) => return Ok(Some(Request { id, file: File::from(file), pid })),
                // This process has no free descriptor: let it go, and look at the file another time.
                None => self.answer_once(id)?,
            },
            ToAgent::Stats(stats) => self.told().stats = stats,
            ToAgent::Unmarked { errno: 0, what } => {
                self.told().unmarked.push(format!("{what}: not a local filesystem"));
            }
            ToAgent::Unmarked { errno, what } => {
                self.told().unmarked.push(format!("{what}: {}", io::Error::from_raw_os_error(errno)));
            }
            ToAgent::Ready { filesystems } => self.told().filesystems = filesystems,
            ToAgent::Failed { stage, errno } => return Err(failure(stage, errno)),
        }
        Ok(None)
    }

    fn wait_readable(&self, until: Instant) -> Result<bool, GateError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(ready) => return Ok(ready > 0),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(GateError::Receive(errno.into())),
            }
        }
    }

    fn receive(&self) -> Result<Option<(ToAgent, Option<OwnedFd>)>, GateError> {
        let mut bytes = [0; MAX_LEN];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = loop {
            match rustix::net::recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)
            {
                Ok(received) => break received,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::CONNRESET) => return Err(GateError::Ended),
                Err(errno) => return Err(GateError::Receive(errno.into())),
            }
        };
        if received.bytes == 0 {
            return Err(GateError::Ended);
        }
        let mut files = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        let file = files.next().and_then(|mut files| files.next());
        Ok(Some((ToAgent::decode(&bytes[..received.bytes.min(MAX_LEN)])?, file)))
    }

    fn send(&self, message: ToGate) -> Result<(), GateError> {
        match rustix::net::send(&self.socket, &message.encode(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(GateError::Ended),
            Err(errno) => Err(GateError::Send(errno.into())),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.end();
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Gate {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The agent's end and the gate's.
fn socket_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // Beyond the system's limit if that is permitted; with less room, more execs go on unheld under load.
    set_socket_send_buffer_size_force(&theirs, SOCKET_BUFFER)
        .or_else(|_| set_socket_send_buffer_size(&theirs, SOCKET_BUFFER))?;
    Ok((ours, theirs))
}

fn failure(stage: Stage, errno: i32) -> GateError {
    let error = io::Error::from_raw_os_error(errno);
    match stage {
        Stage::Init if error.kind() == io::ErrorKind::PermissionDenied => GateError::NotPermitted,
        Stage::Init => GateError::Unsupported(error),
        Stage::Mark => GateError::NothingMarked(error),
        Stage::Setup => GateError::Setup(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
