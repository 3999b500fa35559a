//! Tests whose process is ended from outside: for want of memory, and with the runner that told of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};
use sidecar_tests::suite;

use crate::containers::Cgroup;

/// What the process of the test may have.
const MEMORY: u64 = 48 << 20;

/// Where a cgroup with a limit of memory can be made, and what the limit's file is called: cgroup v2, else v1.
fn memory_hierarchy() -> Option<(PathBuf, &'static str)> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let place = |line: &str| line.split(' ').nth(4).map(PathBuf::from);
    let second = mounts.lines().filter(|line| line.contains(" - cgroup2 ")).find_map(place);
    // A cgroup below the root has the controller only where the root hands it on.
    let hands_on = |root: &PathBuf| {
        let children = std::fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
        children.split_whitespace().any(|word| word == "memory")
    };
    if let Some(root) = second.filter(hands_on) {
        return Some((root, "memory.max"));
    }
    let is_memory = |line: &&str| {
        let options = line.split_once(" - cgroup ").and_then(|(_, rest)| rest.split(' ').nth(1));
        options.is_some_and(|options| options.split(',').any(|option| option == "memory"))
    };
    mounts.lines().find(is_memory).and_then(place).map(|root| (root, "memory.limit_in_bytes"))
}

/// Why no limit of memory can be set here, if so.
pub(crate) fn no_memory_limit() -> Option<&'static str> {
    memory_hierarchy().is_none().then_some("neither cgroup v2 nor v1 has the memory controller here")
}

/// What is told of the end of a test.
fn aborted(scratch: &Scratch, pid: u32) -> Result<Vec<Value>> {
    let mut found = events(&scratch.sink())?;
    found.retain(|event| event["pid"] == pid && event["status"] == "aborted");
    Ok(found)
}

/// A process that its cgroup has no memory for: its test is aborted within a second, and the event says why.
pub(crate) fn out_of_memory() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let lines = format!(
        "{}profiling: {{enabled: false}}\ndiscovery: {{exec: false, files: ['{}']}}\n{}",
        section(&scratch),
        target.path().display(),
        target.probes()
    );
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let (root, limit) = memory_hierarchy().context("a limit of memory")?;
    let cgroup = Cgroup::make(&root, &format!("sidecar-test-memory-{}", std::process::id()))?;
    std::fs::write(cgroup.0.join(limit), MEMORY.to_string())?;
    for swap in ["memory.swap.max", "memory.memsw.limit_in_bytes"] {
        let file = cgroup.0.join(swap);
        if file.exists() {
            std::fs::write(&file, if swap.ends_with("max") { "0".to_owned() } else { MEMORY.to_string() })?;
        }
    }
    let mut command = Command::new(target.path());
    cgroup.starts(&mut command);
    let mut running = Running::start(&mut command)?;
    running.run(&["begin 1 1"])?;
    let pid = running.pid();
    running.send("eat")?;
    let status = running.wait()?;
    let died = Instant::now();
    ensure!(!status.success(), "{status}");
    let found = until("the end of the test", || {
        let found = aborted(&scratch, pid)?;
        Ok((!found.is_empty()).then_some(found))
    })
    .with_context(|| agent.log())?;
    let took = died.elapsed();
    println!("told {took:?} after the process was gone");
    // Nothing but a busy machine could make it later; the design's bound is a second.
    ensure!(took < Duration::from_secs(10), "{took:?}");
    let [end] = &found[..] else { anyhow::bail!("{found:?}") };
    ensure!(end["test_id"] == "test::1" && end["data"]["exit_signal_name"] == "SIGKILL", "{end}");
    ensure!(end["data"]["out_of_memory"] == true, "{end}");
    ensure!(end["message"].as_str().is_some_and(|text| text.contains("out of memory")), "{end}");
    // One that is killed otherwise has not run out of it.
    let mut other = target.start()?;
    other.run(&["begin 2 1"])?;
    let pid = other.pid();
    other.kill()?;
    let found = until("the end of the other test", || {
        let found = aborted(&scratch, pid)?;
        Ok((!found.is_empty()).then_some(found))
    })?;
    ensure!(found[0]["data"]["out_of_memory"].is_null(), "{found:?}");
    agent.finish()?;
    Ok(())
}

/// Tests that run until the one who started them is gone.
const WAITING: &str = "\
use std::os::unix::process::parent_id;
fn waits() {
    let parent = parent_id();
    while parent_id() == parent {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
#[test]
fn is_over() {}
#[test]
fn runs_first() { waits(); }
#[test]
fn runs_second() { waits(); }
";

/// Builds a suite of these tests.
fn waiting_suite(folder: &Path) -> Result<()> {
    let manifest = "[package]\nname = \"waiting\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest)?;
    std::fs::create_dir(folder.join("src"))?;
    std::fs::write(folder.join("src/lib.rs"), WAITING)?;
    let output = suite::nextest(folder).arg("--no-run").output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// cargo-nextest is killed: the tests that it was running are aborted, and the one that was over is not.
pub(crate) fn runner_killed() -> Result<()> {
    let scratch = Scratch::new()?;
    let folder = tempfile::tempdir()?;
    waiting_suite(folder.path())?;
    // A copy, which other tests do not run.
    let runner = scratch.path("cargo-nextest");
    let which = Command::new("sh").args(["-c", "command -v cargo-nextest"]).output()?;
    std::fs::copy(String::from_utf8(which.stdout)?.trim(), &runner).context("cargo-nextest")?;
    let lines = format!(
        "{}profiling: {{enabled: false}}\nsampling: {{test_events: 0}}\ndiscovery: {{exec: false, files: ['{}']}}\n",
        section(&scratch),
        runner.display()
    );
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let mut command = Command::new(&runner);
    command.args(["nextest", "run", "--test-threads", "3"]).current_dir(folder.path());
    suite::without_cargo(&mut command);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let pid = child.id();
    let control = Control::of(&scratch);
    let state = |name: &str| -> Result<(bool, String)> {
        let tests = control.get("/api/v1/tests")?;
        let all = tests["tests"].as_array().context("a list of tests")?;
        let found = all.iter().find(|test| test["test_id"].as_str().is_some_and(|id| id.ends_with(name)));
        let found = found.with_context(|| format!("{name} in {tests}"))?;
        Ok((found["running"] == true, found["status"].as_str().unwrap_or_default().to_owned()))
    };
    let hits = |marker: &str| -> Result<u64> {
        Ok(agent.metrics()?.count("sidecar_hits_total", &[("provider", "nextest"), ("marker", marker)]))
    };
    let started = until("three tests have begun and one is over", || {
        Ok((hits("test-attempt-start")? >= 3 && hits("test-attempt-done")? >= 1).then_some(()))
    });
    child.kill()?;
    child.wait()?;
    started.with_context(|| agent.log())?;
    let mut found = until("the ends of two tests", || {
        let found = aborted(&scratch, pid)?;
        Ok((found.len() >= 2).then_some(found))
    })
    .with_context(|| agent.log())?;
    found.sort_by_key(|event| event["test_id"].to_string());
    let ids: Vec<_> = found.iter().filter_map(|event| event["test_id"].as_str()).collect();
    ensure!(ids == ["waiting$runs_first", "waiting$runs_second"], "{found:?}");
    for end in &found {
        ensure!(end["data"]["exit_signal_name"] == "SIGKILL" && end["provider"] == "nextest", "{end}");
    }
    until("the API tells of both", || {
        let both = [state("runs_first")?, state("runs_second")?];
        Ok(both.iter().all(|state| *state == (false, "aborted".to_owned())).then_some(()))
    })?;
    agent.finish()?;
    Ok(())
}
