//! `sidecar run` with few capabilities.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sidecar_tests::agent;
use sidecar_tests::kernel::program::Program;
use sidecar_tests::node::control::section;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::documents;

/// The agent on a config, with these capabilities alone.
fn start(config: &Path, names: &BTreeSet<String>) -> Result<Agent> {
    let words = documents::only(names);
    let (first, rest) = words.split_first().context("no words")?;
    let mut command = Command::new(first);
    command.args(rest).arg(agent::path()?).args(["run", "--listen", "127.0.0.1:0"]);
    command.args(agent::object_arguments()).arg("--config").arg(config);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Agent::spawn(&mut command)?.ready()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Starts the agent on one configured file, and expects all that a program of that file says.
fn watches(names: &BTreeSet<String>) -> Result<()> {
    let scratch = Scratch::new()?;
    let program = Program::copy("target_tests")?;
    let config = scratch.config(&format!(
        "sampling: {{enabled: false}}\n{}discovery: {{files: ['{}'], exec: false}}",
        section(&scratch),
        program.path().display()
    ))?;
    let agent = start(&config, names)?;
    let id = format!("privilege::{}", std::process::id());
    let status = Command::new(program.path()).arg(format!("fail {id} broken")).status()?;
    ensure!(status.success(), "{status}");
    until("both events of the test", || {
        let sink = std::fs::read_to_string(scratch.sink()).unwrap_or_default();
        Ok((sink.lines().filter(|line| line.contains(&id)).count() == 2).then_some(()))
    })
    .with_context(|| agent.log())?;
    agent.finish().map(drop)
}

pub(crate) fn unit() -> Result<()> {
    watches(&documents::unit()?)
}

/// What docs/privilege.md says of configured files. Debian's older kernels let only CAP_SYS_ADMIN open perf events.
pub(crate) fn two() -> Result<()> {
    let mut names = named(&["CAP_BPF", "CAP_PERFMON"]);
    let kernel = sidecar_agent::bpf::Kernel::load(&sidecar_tests::kernel::session::options())?;
    let by_events = kernel.features().attach != sidecar_agent::bpf::AttachMethod::UprobeMulti;
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")?;
    if by_events && paranoid.trim().parse::<i32>()? >= 3 {
        names.extend(named(&["CAP_SYS_ADMIN"]));
    }
    watches(&names)
}

/// The effective sets of an agent's threads.
fn effective(pid: u32) -> Result<BTreeSet<u64>> {
    let mut sets = BTreeSet::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between two looks.
        let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) else { continue };
        let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:")).context("CapEff")?;
        sets.insert(u64::from_str_radix(digits.trim(), 16)?);
    }
    Ok(sets)
}

/// Started with all that root has, each of its threads has the same few, and it says so.
pub(crate) fn given_up() -> Result<()> {
    /// CAP_SYS_MODULE, CAP_SYS_TIME, CAP_NET_ADMIN, CAP_SETUID and CAP_SYS_RESOURCE by their numbers.
    const UNUSED: [u32; 5] = [16, 25, 12, 7, 24];
    let own = *effective(std::process::id())?.first().context("no thread")?;
    let scratch = Scratch::new()?;
    let config = scratch.config(&section(&scratch))?;
    let agent = Agent::start(&config)?;
    let sets = effective(agent.pid())?;
    let [set] = sets.iter().copied().collect::<Vec<u64>>()[..] else {
        anyhow::bail!("threads differ: {sets:x?}");
    };
    for number in UNUSED {
        ensure!(set >> number & 1 == 0, "{set:x} has {number}");
    }
    ensure!(set & !own == 0, "{set:x} has more than {own:x}");
    agent.wait_for_log("capabilities that it does not use")?;
    agent.finish().map(drop)
}
