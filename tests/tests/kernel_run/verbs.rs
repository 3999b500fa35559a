//! `sidecar health` and `sidecar status` of a running agent, well and not, and what it says of its budget.

use std::process::Command;

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

/// What is probed, where, and how often, as the verb tells it of a running agent.
pub(crate) fn probes_list() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let agent = Agent::start(&scratch.config(&format!("{}{}", section(&scratch), target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["hit 12"])?;
    let list = |more: &[&str]| -> Result<(Option<i32>, String)> {
        let mut command = Command::new(agent::path()?);
        let output =
            command.args(["probes", "list"]).args(more).arg("--socket").arg(control.path()).output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let (path, hit) = (target.path().display().to_string(), format!("{}:hit", target.provider()));
    let (sites, hits) = until("the hits are told", || {
        let (code, said) = list(&["--json"])?;
        assert_eq!(code, Some(0), "{said}");
        let all: serde_json::Value = serde_json::from_str(&said)?;
        let probes = all["probes"].as_array().into_iter().flatten();
        let mut of_hit =
            probes.filter(|probe| probe["provider"] == target.provider() && probe["name"] == "hit");
        let counts = of_hit.next().map(|probe| (probe["sites"].as_u64(), probe["hits"].as_u64()));
        Ok(counts.filter(|(_, hits)| *hits >= Some(12)))
    })?;
    assert_eq!(hits, Some(12));
    let (code, said) = list(&[])?;
    let row = said.lines().find(|line| line.starts_with(&hit)).unwrap_or_default().to_owned();
    let numbers: Vec<_> = row.split_whitespace().skip(1).take(2).map(|text| text.parse().ok()).collect();
    assert_eq!((code, numbers), (Some(0), vec![sites, hits]), "{said}");
    assert!(said.contains(&path), "{said}");
    costs(list, &target)?;
    agent.finish()?;
    Ok(())
}

/// What each probe has cost is known once something was fired while the kernel measured, and then goes by its hits.
fn costs(list: impl Fn(&[&str]) -> Result<(Option<i32>, String)>, target: &Target) -> Result<()> {
    let mut running = target.start()?;
    let probes = until("the cost is told", || {
        running.run(&["hit 500"])?;
        let all: serde_json::Value = serde_json::from_str(&list(&["--json"])?.1)?;
        let probes = all["probes"].as_array().context("a list")?.clone();
        Ok(probes.iter().any(|probe| probe["cost_seconds"].as_f64() > Some(0.0)).then_some(probes))
    })?;
    running.finish()?;
    let of_a_hit =
        |probe: &serde_json::Value| Some(probe["cost_seconds"].as_f64()? / probe["hits"].as_f64()?);
    for probe in probes.iter().filter(|probe| probe["provider"] == target.provider()) {
        let hits = probe["hits"].as_u64().context("hits")?;
        let cost = probe["cost_seconds"].as_f64().context("a cost")?;
        assert_eq!(hits == 0, cost == 0.0, "{probe}");
        // An emulated or busy machine takes longer; nothing takes longer than a program that sleeps.
        assert!(hits == 0 || of_a_hit(probe).is_some_and(|cost| cost > 1e-8 && cost < 1e-2), "{probe}");
    }
    Ok(())
}
