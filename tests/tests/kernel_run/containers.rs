//! Events say in which container they came about.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::node::Agent;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;

use crate::basics::wait_until_found;

/// A cgroup of this test, removed at its end.
pub(crate) struct Cgroup(pub(crate) PathBuf);

impl Cgroup {
    pub(crate) fn make(parents: &Path, name: &str) -> Result<Self> {
        let path = parents.join(name);
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    fn id(&self) -> Result<u64> {
        Ok(self.0.metadata()?.ino())
    }

    /// Runs a program in it to its end.
    fn run(&self, program: &Path, lines: &[&str]) -> Result<()> {
        let mut command = Command::new(program);
        command.args(lines);
        self.starts(&mut command);
        let status = command.status()?;
        ensure!(status.success(), "{status}");
        Ok(())
    }

    /// Has a command start in it.
    pub(crate) fn starts(&self, command: &mut Command) {
        let procs = self.0.join("cgroup.procs");
        // SAFETY: between fork and exec the child only opens a file and writes to it.
        unsafe { command.pre_exec(move || std::fs::write(&procs, "0")) };
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What ends in it may be counted out a moment later.
        for _ in 0..1_000 {
            match std::fs::remove_dir(&self.0) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                _ => return,
            }
        }
    }
}

/// Where the cgroup v2 hierarchy is mounted.
fn hierarchy() -> Result<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 ")).context("no cgroup v2 is mounted")?;
    Ok(line.split(' ').nth(4).context("its place")?.into())
}

/// A container's id, no container's, and of a cgroup that is deleted before its event is read the cgroup's id alone.
pub(crate) fn named() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let target = Target::with(&scratch.path("target"), &provider, &[])?;
    let own = Cgroup::make(&hierarchy()?, &format!("sidecar-test-{}.slice", std::process::id()))?;
    let id = |digit: &str| digit.repeat(64);
    let container = Cgroup::make(&own.0, &format!("docker-{}.scope", id("a")))?;
    let short = Cgroup::make(&own.0, &format!("docker-{}.scope", id("b")))?;
    let agent =
        Agent::start(&scratch.config(&format!("sampling: {{enabled: false}}\n{}", target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    container.run(target.path(), &["hit 1"])?;
    own.run(target.path(), &["hit 1"])?;
    scratch.wait_for_events_of(&agent, &provider, 2)?;
    let ids = [container.id()?, own.id()?, short.id()?];
    agent.signal(Signal::SIGSTOP)?;
    short.run(target.path(), &["hit 1"])?;
    drop(short);
    agent.signal(Signal::SIGCONT)?;
    let events = scratch.wait_for_events_of(&agent, &provider, 3)?;
    let found: Vec<_> =
        events.iter().map(|event| (event["cgroup_id"].as_u64(), event["container_id"].as_str())).collect();
    let a = id("a");
    let expected = [(Some(ids[0]), Some(a.as_str())), (Some(ids[1]), None), (Some(ids[2]), None)];
    assert_eq!(found, expected, "{}", agent.log());
    agent.finish()?;
    Ok(())
}
