//! The gate process at work: asks the agent, and lets go in time.

use super::desk::{Desk, Verdict, Who};
use super::identity::Identity;
use super::mounts::{self, Choice, Filesystems};
use super::process::{GateProcessError, ProcessOptions};
use super::setup;
use super::wire::{MAX_LEN, ToAgent, ToGate};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::fanotify::{
    EventFFlags, Fanotify, FanotifyEvent, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response,
};
use nix::unistd::{getpid, getppid};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// How often changed counts are sent.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How long the last counts may wait for room in the socket, in milliseconds.
const LAST_WORD_MS: u16 = 500;
/// How many filesystems that are left out are named.
const MAX_LEFT_OUT: usize = 64;

/// Everything the running gate has.
pub(super) struct Server<'a, F> {
    socket: BorrowedFd<'a>,
    agent: OwnedFd,
    fanotify: Fanotify,
    mountinfo: File,
    left_out: HashSet<PathBuf>,
    options: &'a ProcessOptions,
    desk: Desk<FanotifyEvent>,
    is_watched: F,
    reported: Instant,
    dirty: bool,
}

impl<'a, F: FnMut(u32, BorrowedFd<'_>) -> bool> Server<'a, F> {
    pub(super) fn start(
        options: &'a ProcessOptions,
        socket: BorrowedFd<'a>,
        is_watched: F,
    ) -> Result<Self, GateProcessError> {
        setup::detach().map_err(GateProcessError::Setup)?;
        // Not PR_SET_PDEATHSIG: it fires when the agent's *thread* that started this process ends.
        let agent = i32::try_from(options.agent)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or(Errno::EINVAL)
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(errno))
            .map_err(GateProcessError::Setup)?;
        if u32::try_from(getppid().as_raw()) != Ok(options.agent) {
            return Err(GateProcessError::NotStartedByAgent);
        }
        let max_held = setup::room_for_events(options.max_held).map_err(GateProcessError::Setup)?;
        let mountinfo = File::open("/proc/self/mountinfo")
            .map_err(|error| GateProcessError::Setup(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
        let fanotify = Fanotify::init(
            InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK,
            EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC | EventFFlags::O_LARGEFILE,
        )
        .map_err(GateProcessError::Init)?;
        let mut server = Self {
            socket,
            agent,
            fanotify,
            mountinfo,
            left_out: HashSet::new(),
            options,
            desk: Desk::new(options.deadline, max_held),
            is_watched,
            reported: Instant::now(),
            dirty: false,
        };
        match server.mark() {
            (0, errno) => Err(GateProcessError::Mark(errno.unwrap_or(Errno::ENODEV))),
            (filesystems, _) => {
                let _ = send(socket, &ToAgent::Ready { filesystems }, None);
                Ok(server)
            }
        }
    }

    /// Marks every filesystem there is (marking one again changes nothing), and tells the agent of each that
    /// is left out, once. Returns how many are marked, and the last refusal.
    fn mark(&mut self) -> (u32, Option<Errno>) {
        let targets = match &self.options.filesystems {
            Filesystems::Only(paths) => paths.iter().map(|path| (path.clone(), Choice::Mark)).collect(),
            Filesystems::Local => mounted(),
        };
        let (mut marked, mut refused) = (0, None);
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_FILESYSTEM;
        for (path, choice) in targets {
            let outcome = match choice {
                Choice::Skip => continue,
                Choice::LeaveOut => Err(None),
                Choice::Mark => self
                    .fanotify
                    .mark(flags, MaskFlags::FAN_OPEN_EXEC_PERM, AT_FDCWD, Some(&path))
                    .map_err(Some),
            };
            let Err(errno) = outcome else {
                marked += 1;
                continue;
            };
            refused = errno.or(refused);
            if self.left_out.len() < MAX_LEFT_OUT && self.left_out.insert(path.clone()) {
                let errno = errno.map_or(0, |errno| errno as i32);
                let _ =
                    send(self.socket, &ToAgent::Unmarked { errno, what: path.display().to_string() }, None);
            }
        }
        (marked, refused)
    }

    pub(super) fn serve(mut self) -> Result<(), GateProcessError> {
        loop {
            let [socket, agent, fanotify, mounts] = self.wait()?;
            if agent {
                return Ok(());
            }
            if socket && !self.read_agent() {
                self.leave();
                return Ok(());
            }
            if fanotify && !self.read_kernel()? {
                return Ok(());
            }
            if mounts {
                self.mark();
            }
            let now = Instant::now();
            while let Some(event) = self.desk.expire(now) {
                self.let_go(&event);
            }
            if self.dirty && now >= self.reported + REPORT_EVERY {
                self.report(now);
            }
        }
    }

    /// Waits until one of the descriptors has something, or for the next deadline.
    fn wait(&self) -> Result<[bool; 4], GateProcessError> {
        let report = self.dirty.then_some(self.reported + REPORT_EVERY);
        let until = self.desk.next_deadline().into_iter().chain(report).min();
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now());
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = [
            PollFd::new(self.socket, PollFlags::POLLIN),
            PollFd::new(self.agent.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.fanotify.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.mountinfo.as_fd(), PollFlags::POLLPRI),
        ];
        match poll(&mut fds, timeout) {
            Ok(_) => Ok(fds.map(|fd| fd.revents().is_none_or(|events| !events.is_empty()))),
            Err(Errno::EINTR) => Ok([false; 4]),
            Err(errno) => Err(GateProcessError::Wait(errno)),
        }
    }

    /// Reads what the agent says. False: the gate is to end.
    fn read_agent(&mut self) -> bool {
        loop {
            let mut buffer = [0; MAX_LEN];
            let message = match rustix::net::recv(self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return false,
                Ok((len, _)) => ToGate::decode(&buffer[..len.min(MAX_LEN)]),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return true,
                Err(_) => return false,
            };
            let now = Instant::now();
            self.desk.heard(now);
            match message {
                Ok(ToGate::Answer { id, remember }) => {
                    if let Some(event) = self.desk.answer(id, remember, now) {
                        self.let_go(&event);
                    }
                }
                Ok(ToGate::Forget) => self.desk.forget(),
                // An agent that speaks another language can't be relied on to answer.
                Ok(ToGate::Shutdown) | Err(_) => return false,
            }
        }
    }

    /// Reads the kernel's questions. False: the agent is gone.
    fn read_kernel(&mut self) -> Result<bool, GateProcessError> {
        let events = match self.fanotify.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(true),
            Err(errno) => return Err(GateProcessError::Read(errno)),
        };
        self.dirty = true;
        for event in events {
            if !event.check_version() {
                return Err(GateProcessError::Read(Errno::EPROTO));
            }
            if event.fd().is_none() {
                self.desk.overflow();
            } else if !self.judge(event) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets one go, or asks the agent and holds it. False: the agent is gone.
    fn judge(&mut self, event: FanotifyEvent) -> bool {
        let Some(file) = event.fd() else { return true };
        let pid = event.pid().unsigned_abs();
        let who = if pid == self.options.agent || event.pid() == getpid().as_raw() {
            Who::Own
        } else if (self.is_watched)(pid, file) {
            Who::Watched
        } else {
            Who::Stranger
        };
        let mut identity = None;
        let verdict = self.desk.arrive(who, || {
            identity = Identity::of(file).ok();
            identity
        });
        let (Verdict::Ask(id) | Verdict::Tell(id)) = verdict else {
            self.let_go(&event);
            return true;
        };
        let sent = send(self.socket, &ToAgent::Request { id, pid }, Some(file));
        match (verdict, sent) {
            (Verdict::Ask(_), Ok(())) => {
                let settled = identity.filter(|identity| identity.settled(SystemTime::now()));
                self.desk.hold(id, event, settled, Instant::now());
            }
            (Verdict::Ask(_), Err(errno)) => {
                self.desk.refuse();
                self.let_go(&event);
                return errno != rustix::io::Errno::PIPE && errno != rustix::io::Errno::CONNRESET;
            }
            (Verdict::Tell(_) | Verdict::Pass, _) => self.let_go(&event),
        }
        true
    }

    /// Tells the kernel to go on.
    fn let_go(&mut self, event: &FanotifyEvent) {
        self.dirty = true;
        let Some(file) = event.fd() else { return };
        // It fails only if the kernel has dropped the question, and then nobody waits.
        let _ = self.fanotify.write_response(FanotifyResponse::new(file, Response::FAN_ALLOW));
    }

    fn report(&mut self, now: Instant) {
        self.reported = now;
        self.dirty = send(self.socket, &ToAgent::Stats(self.desk.stats()), None).is_err();
    }

    /// Lets everyone go, closes fanotify, and says the last word.
    fn leave(mut self) {
        let now = Instant::now();
        while let Some(event) = self.desk.release(now) {
            self.let_go(&event);
        }
        drop(self.fanotify);
        let _ = poll(&mut [PollFd::new(self.socket, PollFlags::POLLOUT)], LAST_WORD_MS);
        let _ = send(self.socket, &ToAgent::Stats(self.desk.stats()), None);
    }
}

/// Every mounted filesystem's path, and what to do with it.
fn mounted() -> Vec<(PathBuf, Choice)> {
    let mountinfo = fs::read("/proc/self/mountinfo").unwrap_or_default();
    mounts::parse(&mountinfo).into_iter().map(|mount| (mount.path.clone(), mount.choice())).collect()
}

pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &ToAgent,
    file: Option<BorrowedFd<'_>>,
) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files: Vec<_> = file.into_iter().collect();
    if !files.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&files));
    }
    let bytes = message.encode();
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(&bytes)],
        &mut control,
        SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
    )
    .map(drop)
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
