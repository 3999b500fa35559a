//! The `command` handler: a program for each event. No part of an event reaches its arguments or a shell.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, access};
use tokio::sync::watch;

use super::child::{self, Ended, Limits};
use super::inlet::Inlet;
use super::limit::TokenBucket;
use super::message::Message;
use super::reason::Reason;
use super::tally::Tally;
use super::text::plain_bytes;
use crate::config::CommandAction;

/// The variables that a program gets of the agent's own, if they are set. PATH it always gets.
const PASSED_ON: [&str; 4] = ["HOME", "LANG", "LC_ALL", "TZ"];
/// PATH where the agent has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The variable that holds the event's type.
const EVENT_TYPE: &str = "SIDECAR_EVENT_TYPE";
/// Longest type of an event that is passed on.
const LONGEST_TYPE: usize = 64;
/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// The same when the agent ends.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Runs a program for events.
pub(super) struct Program {
    name: String,
    args: Vec<String>,
    path: OsString,
    env: Vec<(&'static str, OsString)>,
    /// The file found for `name`; looked for again after a failed start.
    found: Mutex<Option<PathBuf>>,
    limits: Limits,
    starts: Mutex<TokenBucket>,
}

impl Program {
    pub(super) fn new(action: &CommandAction) -> Self {
        let path = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
        let env = PASSED_ON.iter().filter_map(|name| Some((*name, env::var_os(name)?))).collect();
        let (name, args) = match action.command.split_first() {
            Some((name, args)) => (name.clone(), args.to_vec()),
            None => (String::new(), Vec::new()),
        };
        let found = Mutex::new(resolve(&name, &path));
        let limits = Limits {
            timeout: Duration::from_secs_f64(action.timeout_sec),
            grace: GRACE,
            stop_grace: STOP_GRACE,
        };
        let starts = Mutex::new(TokenBucket::new(action.rate_limit, Instant::now()));
        Self { name, args, path, env, found, limits, starts }
    }

    /// Whether the program is there.
    pub(super) fn exists(&self) -> bool {
        self.file().is_some()
    }

    /// Runs the program for what the queue gives, one event after the other, until the queue is closed and empty.
    /// As many of these may run as the program may run at a time.
    pub(super) async fn serve(&self, mut inlet: Inlet) {
        while let Some(message) = inlet.queue.pop().await {
            let passes = self.starts.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
            if passes {
                self.handle(&message, &inlet.tally, &mut inlet.stop).await;
            } else {
                inlet.tally.dropped(Reason::RateLimited, 1);
            }
        }
    }

    async fn handle(&self, message: &Message, tally: &Tally, stop: &mut watch::Receiver<bool>) {
        let Some(line) = message.line() else {
            return tally.failed(Reason::SpawnFailed, "the event has no form in JSON");
        };
        let Some(file) = self.file() else {
            let place = if self.name.starts_with('/') { "" } else { " in PATH" };
            let text = format!("there is no executable file {}{place}", self.name);
            return tally.failed(Reason::SpawnFailed, &text);
        };
        let run =
            child::run(self.command(&file, &message.event().event_type), &line, self.limits, stop).await;
        let run = match run {
            Ok(run) => run,
            Err(error) => {
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let text = format!("can't run {}: {error}", file.display());
                return tally.failed(Reason::SpawnFailed, &text);
            }
        };
        let with_tail = |what: String| match plain_bytes(&run.tail) {
            tail if tail.is_empty() => what,
            tail => format!("{what}; it said: {tail}"),
        };
        match run.ended {
            Ended::Exited(status) if status.success() => tally.handled(),
            Ended::Exited(status) => tally.failed(Reason::ExitStatus, &with_tail(describe(status))),
            Ended::TimedOut => {
                let seconds = self.limits.timeout.as_secs_f64();
                tally.failed(Reason::Timeout, &with_tail(format!("it ran longer than {seconds} s")));
            }
            Ended::Stopped => tally.dropped(Reason::Shutdown, 1),
        }
    }

    fn command(&self, file: &Path, event_type: &str) -> Command {
        let mut command = Command::new(file);
        command.args(&self.args).current_dir("/").env_clear().env("PATH", &self.path);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env(EVENT_TYPE, word(event_type));
        command
    }

    fn file(&self) -> Option<PathBuf> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_none() {
            *found = resolve(&self.name, &self.path);
        }
        found.clone()
    }
}

/// The executable file of an absolute path, or of a name in PATH. What is relative in PATH does not count: it would
/// depend on where the agent was started.
fn resolve(name: &str, path: &OsStr) -> Option<PathBuf> {
    let executable = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(|path| executable(path));
    }
    let dirs = env::split_paths(path).filter(|dir| dir.is_absolute());
    dirs.map(|dir| dir.join(name)).find(|path| executable(path))
}

/// An event's type as a value that no shell script stumbles over: a marker may have sent anything.
fn word(event_type: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
    event_type.chars().take(LONGEST_TYPE).map(plain).collect()
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit status {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended without an exit status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_absolute_path_or_in_absolute_directories_of_path() {
        assert_eq!(resolve("/bin/sh", OsStr::new("")), Some("/bin/sh".into()));
        assert!(resolve("sh", OsStr::new("/nowhere:/bin")).is_some());
        assert_eq!(resolve("sh", OsStr::new("bin:.::/nowhere")), None);
        assert_eq!(resolve("/etc/passwd", OsStr::new("")), None, "not executable");
        assert_eq!(resolve("/bin", OsStr::new("")), None, "a directory");
    }

    #[test]
    fn a_type_of_an_event_becomes_a_plain_word() {
        assert_eq!(word("test_failure"), "test_failure");
        assert_eq!(word("$(reboot)\n`x`; é\0"), "__reboot___x_____");
        assert_eq!(word(&"x".repeat(5000)).len(), LONGEST_TYPE);
    }
}
