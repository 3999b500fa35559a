//! A filesystem of a test's own, and this test program in other roles.

use crate::gate::{Ancestry, Filesystems, Gate, GateError, Options, ProcessOptions, Request, run};
use nix::poll::{PollFd, PollFlags, poll};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// Tells a child process of a test what it is.
const ROLE: &str = "SIDECAR_GATE_TEST_ROLE";
/// The filesystem that the child's gate watches.
const WATCHED: &str = "SIDECAR_GATE_TEST_FILESYSTEM";
/// The deadline of the child's gate in milliseconds.
const DEADLINE: &str = "SIDECAR_GATE_TEST_DEADLINE";

/// A deadline that no test lives to see.
pub(super) const NEVER: Duration = Duration::from_secs(600);
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tmpfs of a test's own, and a directory outside it.
pub(super) struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    /// None, with the reason on standard error, where this machine does not permit the test.
    pub(super) fn new() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let watched = dir.path().join("watched");
        fs::create_dir(&watched).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "sidecar-test"]).arg(&watched).output();
        if !mount.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: mounting a tmpfs is not permitted: {mount:?}");
            return None;
        }
        let fixture = Self { dir };
        match fixture.try_gate(NEVER, 1) {
            Err(error @ (GateError::NotPermitted | GateError::Unsupported(_))) => {
                eprintln!("skipped: {error}");
                None
            }
            Err(error) => panic!("{error}"),
            Ok(_) => Some(fixture),
        }
    }

    /// A path on the watched filesystem.
    pub(super) fn watched(&self, name: &str) -> PathBuf {
        self.dir.path().join("watched").join(name)
    }

    /// A path that is not.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A copy of a program on the watched filesystem.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let path = self.watched(name);
        let found =
            ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(name)).into_iter().find(|p| p.exists());
        fs::copy(found.unwrap(), &path).unwrap();
        path
    }

    /// A script on the watched filesystem.
    pub(super) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.watched(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A gate of which this process is the agent.
    pub(super) fn gate(&self, deadline: Duration, max_held: u32) -> Gate {
        self.try_gate(deadline, max_held).unwrap()
    }

    fn try_gate(&self, deadline: Duration, max_held: u32) -> Result<Gate, GateError> {
        gate(&self.watched(""), deadline, max_held)
    }

    /// This program as an agent that never answers, with a shell beneath it that runs `script`.
    pub(super) fn agent(&self, deadline: Duration, script: &str) -> Agent {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 7>&1; exec \"$0\" \"$@\""]).arg(env::current_exe().unwrap());
        command.args(role_args()).env(ROLE, "agent").env("SCRIPT", script);
        command.env(WATCHED, self.watched("")).env(DEADLINE, deadline.as_millis().to_string());
        Agent::new(command)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.watched("")).status();
    }
}

/// A child process in the role of the agent.
pub(super) struct Agent {
    pub(super) process: Child,
    pub(super) gate: u32,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Agent {
    fn new(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("gate ") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the agent said nothing");
        }
        let gate = line["gate ".len()..].trim().parse().unwrap();
        stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with("ready\n"), "the shell does not run: {line}");
        Self { gate, stdin: process.stdin.take(), process, stdout }
    }

    /// Gives the shell's `read` a line.
    pub(super) fn go(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Lets the agent end, and returns what it said.
    pub(super) fn end(mut self) -> String {
        drop(self.stdin.take());
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        self.process.wait().unwrap();
        said
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for the next question.
pub(super) fn next(gate: &Gate) -> Request {
    until("a question", || {
        let _ = poll(&mut [PollFd::new(gate.as_fd(), PollFlags::POLLIN)], 100_u16);
        gate.recv().unwrap()
    })
}

/// Waits for what must come.
pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a process is gone, or is a zombie that only its new parent can take away.
pub(super) fn until_ended(pid: u32) {
    until("the end of the process", || match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(") ").next()?.starts_with('Z').then_some(()),
        Err(_) => Some(()),
    });
}

/// The gate process of a gate that could not be started any other way: this program in that role.
pub(super) fn gate(watched: &Path, deadline: Duration, max_held: u32) -> Result<Gate, GateError> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(role_args()).env(ROLE, "gate").env(WATCHED, watched);
    command.env(DEADLINE, deadline.as_millis().to_string()).env("MAX_HELD", max_held.to_string());
    command.env("AGENT", std::process::id().to_string());
    Gate::launch(command, Options { deadline, max_held, ..Options::default() })
}

/// This program, trying to start a gate without the privilege that needs.
pub(super) fn unprivileged(fixture: &Fixture) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--inh-caps=-all", "--bounding-set=-sys_admin"]).arg(env::current_exe().unwrap());
    command.args(role_args()).env(ROLE, "start").env(WATCHED, fixture.watched("")).env(DEADLINE, "1000");
    command
}

fn role_args() -> [&'static OsStr; 3] {
    ["--exact", "gate::tests::fixture::other_roles", "--nocapture"].map(OsStr::new)
}

/// Where a child process of a test begins. In an ordinary run there is no role.
#[test]
fn other_roles() {
    let Ok(role) = env::var(ROLE) else { return };
    let number = |name: &str| env::var(name).unwrap().parse::<u64>().unwrap();
    let watched = PathBuf::from(env::var_os(WATCHED).unwrap());
    let deadline = Duration::from_millis(number(DEADLINE));
    match role.as_str() {
        "gate" => {
            let options = ProcessOptions {
                agent: u32::try_from(number("AGENT")).unwrap(),
                deadline,
                max_held: u32::try_from(number("MAX_HELD")).unwrap(),
                filesystems: Filesystems::Only(vec![watched]),
                tree_map: false,
                node: false,
                files: Vec::new(),
            };
            let mut tree = Ancestry::new(options.agent);
            let _ = run(&options, |pid, _| tree.contains(pid));
        }
        "agent" => {
            let gate = gate(&watched, deadline, 10).unwrap();
            println!("gate {}", gate.pid());
            let script = env::var("SCRIPT").unwrap();
            // The shell itself is on another filesystem, so it is not asked for.
            Command::new("sh").args(["-c", &format!("echo ready; {script}")]).status().unwrap();
            println!("{:?}", gate.shutdown());
        }
        "start" => println!("{}", gate(&watched, deadline, 10).unwrap_err()),
        role => panic!("no such role: {role}"),
    }
    std::process::exit(0);
}
