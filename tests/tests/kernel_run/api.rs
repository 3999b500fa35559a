//! The verbs that ask an agent, over its Unix socket: `sidecar health` and `sidecar tail`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::agent::path;
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

use crate::basics::wait_until_found;

fn sidecar(verb: &str, socket: &Path) -> Result<Command> {
    let mut sidecar = Command::new(path()?);
    sidecar.args([verb, "--socket"]).arg(socket).stdin(Stdio::null());
    Ok(sidecar)
}

pub(crate) fn tail() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let socket = scratch.path("run/s.sock");
    let lines = format!("sampling: {{enabled: false}}\nhttp: {{socket: {}}}\n", socket.display());
    let agent = Agent::start(&scratch.config(&(lines + &target.probes()))?)?;
    let mode = |path: &Path| Ok::<_, anyhow::Error>(std::fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!((mode(&socket)?, mode(&scratch.path("run"))?), (0o600, 0o700));
    wait_until_found(&agent, &target)?;

    let mut failures = sidecar("tail", &socket)?;
    failures.args(["--status", "failed,error", "--test-id", "test::*", "--json", "--count", "1"]);
    let mut failures = failures.stdout(Stdio::piped()).spawn()?;
    let mut everything = sidecar("tail", &socket)?.stdout(Stdio::piped()).spawn()?;
    // Nobody tells when they listen, so the tests are run until both have seen what they wait for.
    let done = until("the failure is shown", || {
        target.run(&["tests 1 2 0", "tests 3 1 1"])?;
        Ok(failures.try_wait()?)
    })?;
    ensure!(done.success(), "{done}");
    let shown = std::io::read_to_string(failures.stdout.take().context("its output")?)?;
    let event: serde_json::Value = serde_json::from_str(&shown)?;
    assert_eq!((&event["test_id"], &event["status"]), (&"test::3".into(), &"failed".into()), "{shown}");
    let mut lines = BufReader::new(everything.stdout.take().context("its output")?).lines();
    target.run(&["tests 4 1 0"])?;
    let line = lines.next().context("a line")??;
    assert!(line.contains("test::"), "{line}");
    // Its reader goes away, so it ends at the next event, and in peace.
    drop(lines);
    let done = until("it ends with its reader", || {
        target.run(&["tests 5 1 0"])?;
        Ok(everything.try_wait()?)
    })?;
    ensure!(done.success(), "{done}");

    agent.finish()?;
    ensure!(!socket.exists(), "it is removed at the end");
    Ok(())
}

pub(crate) fn socket() -> Result<()> {
    let scratch = Scratch::new()?;
    let socket = scratch.path("run/s.sock");
    let config = scratch.config(&format!("http: {{socket: {}}}", socket.display()))?;
    let code = |verb: &str| -> Result<Option<i32>> { Ok(sidecar(verb, &socket)?.output()?.status.code()) };
    assert_eq!(code("health")?, Some(2), "nobody is there");
    let agent = Agent::start(&config)?;
    let answer = sidecar("health", &socket)?.arg("--json").output()?;
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let health: serde_json::Value = serde_json::from_slice(&answer.stdout)?;
    assert_eq!(health["components"]["kernel"]["status"], "healthy", "{health}");
    assert_eq!(code("status")?, Some(0));

    let second = command(Some(&config))?.output()?;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("another agent listens on"), "{said}");

    agent.stop(Signal::SIGKILL)?;
    ensure!(socket.exists(), "a killed agent leaves it behind");
    assert_eq!(code("health")?, Some(2), "nobody listens there");
    let agent = Agent::start(&config)?;
    assert_eq!(code("health")?, Some(0), "the next agent takes its place");
    agent.finish()?;
    Ok(())
}
