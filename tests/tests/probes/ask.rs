//! Runs the verb and keeps what it says.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use sidecar_tests::agent;

/// An answer.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `sidecar probes` with these arguments.
pub(crate) fn probes<S: AsRef<OsStr>>(args: &[S]) -> Result<Said> {
    said(Command::new(agent::path()?).arg("probes").args(args))
}

/// The same as somebody without privilege.
pub(crate) fn unprivileged<S: AsRef<OsStr>>(args: &[S]) -> Result<Said> {
    said(Command::new(agent::path()?).arg("probes").args(args).uid(65_534).gid(65_534))
}

pub(crate) fn said(command: &mut Command) -> Result<Said> {
    let output = command.output()?;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes);
    Ok(Said { code: output.status.code(), out: text(output.stdout)?, err: text(output.stderr)? })
}

impl Said {
    /// The answer of a success as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        serde_json::from_str(&self.out).with_context(|| self.out.clone())
    }

    /// Checks that it is a refusal in one line that says this.
    #[track_caller]
    pub(crate) fn refuses(&self, says: &str) {
        assert_eq!((self.code, self.out.as_str(), self.err.lines().count()), (Some(1), "", 1), "{self:?}");
        assert!(self.err.starts_with("sidecar: ") && self.err.contains(says), "{self:?} should say: {says}");
    }
}
