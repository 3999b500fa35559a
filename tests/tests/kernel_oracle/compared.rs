//! One workload under both: what each counted of every probe.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::bpftrace::Bpftrace;

/// A probe under its names there and here.
pub(crate) struct Probe {
    /// What bpftrace calls it.
    pub(crate) theirs: String,
    /// What sidecar's answers call it.
    pub(crate) ours: (String, String),
}

impl Probe {
    /// A marker of a file.
    pub(crate) fn marker(file: &Path, provider: &str, name: &str) -> Self {
        let theirs = format!("usdt:\"{}\":{provider}:{name}", file.display());
        Self { theirs, ours: (provider.to_owned(), name.to_owned()) }
    }
}

/// What both counted, in the probes' order, once the command has run to its end. `file` is a copy that nothing else on this
/// machine uses; `lines` of the config have sidecar watch it from the start.
pub(crate) fn compare(
    scratch: &Scratch,
    file: &Path,
    lines: &str,
    probes: &[Probe],
    workload: &mut Command,
) -> Result<Vec<u64>> {
    // No governor steps down: with everything counted it would change nothing, but with detached probes it would.
    let config = format!(
        "{}profiling: {{enabled: false}}\npresets: []\nsampling: {{events: 0}}\n{lines}",
        section(scratch)
    );
    let agent = Agent::start(&scratch.config(&config)?)?;
    agent.wait_for_log(&format!("attached to {}", file.display()))?;
    let theirs: Vec<String> = probes.iter().map(|probe| probe.theirs.clone()).collect();
    let bpftrace = Bpftrace::start(&theirs)?;
    let output = workload.output()?;
    ensure!(output.status.success(), "{output:?}");
    let control = Control::of(scratch);
    until("everything is accounted for", || control.settled().map(Some))?;
    let theirs = bpftrace.finish()?;
    let all = control.get("/api/v1/probes")?;
    let all = all["probes"].as_array().context("a list of probes")?;
    let mut ours = Vec::new();
    for Probe { ours: (provider, name), .. } in probes {
        let own = all.iter().filter(|probe| probe["provider"] == *provider && probe["name"] == *name);
        ours.push(own.map(|probe| probe["hits"].as_u64().unwrap_or(0)).sum::<u64>());
    }
    for (i, probe) in probes.iter().enumerate() {
        println!("{}:{}: sidecar {}, bpftrace {}", probe.ours.0, probe.ours.1, ours[i], theirs[i]);
    }
    assert_eq!(ours, theirs, "sidecar's counts and bpftrace's");
    agent.finish()?;
    Ok(ours)
}

/// Puts a copy of a file into the test's folder, which nothing else on this machine uses.
pub(crate) fn copy(scratch: &Scratch, original: &Path, name: &str) -> Result<std::path::PathBuf> {
    let to = scratch.path(name);
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(original, &to).with_context(|| original.display().to_string())?;
    Ok(to)
}
