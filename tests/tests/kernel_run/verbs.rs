//! The verbs that ask a running agent, against one.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use sidecar_tests::agent;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::wait_until_found;

/// What a verb says, and its exit status.
pub(crate) fn ask(verb: &str, control: &Control) -> Result<(Option<i32>, String)> {
    let output = Command::new(agent::path()?).arg(verb).arg("--socket").arg(control.path()).output()?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), said))
}

pub(crate) fn health_status_tail() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let all = format!("{}sampling: {{enabled: false}}\n{}", section(&scratch), target.probes());
    let agent = Agent::start(&scratch.config(&all)?)?;
    wait_until_found(&agent, &target)?;
    until("health is well", || Ok((agent.health()?["status"] == "healthy").then_some(())))?;
    for verb in ["health", "status"] {
        let (code, said) = ask(verb, &control)?;
        assert_eq!(code, Some(0), "{verb}: {said}");
        assert!(said.contains("healthy"), "{verb}: {said}");
    }
    let mut tail = Command::new(agent::path()?)
        .args(["tail", "--socket"])
        .arg(control.path())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(tail.stdout.take().context("its standard output")?);
    until("somebody reads the stream", || Ok((control.get("/api/v1/stats")?["streams"] == 1).then_some(())))?;
    target.run(&["tests 41 1 1"])?;
    let wanted = format!("{}_end", target.provider());
    let found = lines.lines().map_while(Result::ok).find(|line| line.contains(&wanted));
    tail.kill()?;
    tail.wait()?;
    assert!(found.as_ref().is_some_and(|line| line.contains("test::41")), "{found:?}");
    // A file that is refused: degraded, and said so.
    scratch.config(&all.replace("sampling:", "samplign:"))?;
    assert_eq!(control.ask("POST", "/api/v1/config/reload", "")?.status / 100, 4);
    let (code, said) = ask("health", &control)?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("samplign"), "{said}");
    agent.finish()?;
    let (code, said) = ask("health", &control)?;
    assert_eq!(code, Some(2), "{said}");
    Ok(())
}

pub(crate) fn small_budget() -> Result<()> {
    let scratch = Scratch::new()?;
    let small = "resources: {max_memory_mb: 10}\n";
    let agent = Agent::start(&scratch.config(&format!("{}{small}", section(&scratch)))?)?;
    let log = agent.log();
    assert!(log.contains("max_memory_mb") && log.contains("MB"), "{log}");
    println!("{}", log.lines().find(|line| line.contains("max_memory_mb")).unwrap_or_default());
    agent.finish()?;
    Ok(())
}
