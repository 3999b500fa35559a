//! `sidecar health` and `sidecar status` of a running agent, well and not, and what it says of its budget.

use std::process::Command;

use anyhow::Result;
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

pub(crate) fn health_and_status() -> Result<()> {
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
