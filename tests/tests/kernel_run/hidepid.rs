//! A /proc that shows a process nothing of others (`hidepid=2`): as root and as a user without privilege.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sidecar_tests::agent;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::wait_until_found;

/// `sidecar run` in a mount namespace of its own whose /proc hides others, started through `as_whom`.
fn hidden(program: &Path, config: &Path, as_whom: &str) -> Command {
    // The shell mounts, checks that it is hidden, and becomes the agent.
    let script = format!(
        "mount -t proc -o hidepid=2 proc /proc && grep -q 'hidepid=\\(2\\|invisible\\)' /proc/self/mounts && \
         exec {as_whom} \"$0\" run --listen 127.0.0.1:0 --config \"$1\""
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script]).arg(program).arg(config);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What it measures of itself: each a number, and none of them nonsense.
fn measures_itself(agent: &Agent) -> Result<()> {
    let resources = until("it has measured itself", || {
        let health = agent.health()?;
        ensure!(health["resources"]["memory_bytes"].is_u64(), "{health}");
        Ok(Some(health["resources"].clone()))
    })
    .with_context(|| agent.log())?;
    let number = |name: &str| resources[name].as_f64().with_context(|| format!("{name}: {resources}"));
    assert!(number("rss_bytes")? > 1e6 && number("memory_bytes")? > 1e6, "{resources}");
    assert!(number("cpu_seconds")? > 0.0, "{resources}");
    let metrics = agent.metrics()?;
    assert!(metrics.value("process_resident_memory_bytes", &[]) > 1e6);
    Ok(())
}

/// Root with its capabilities sees others all the same, and what runs already is found.
pub(crate) fn root() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let more = "sampling: {enabled: false}\nhealth_checks: {interval_sec: 1}\n";
    let config = scratch.config(&format!("{}{more}{}", section(&scratch), target.probes()))?;
    let mut running = target.start()?;
    let agent = Agent::spawn(&mut hidden(agent::path()?, &config, ""))?.ready()?;
    assert_ne!(running.ask("semaphores")?, "0 0 0", "what runs already was looked at: {}", agent.log());
    running.run(&["hit 5"])?;
    wait_until_found(&agent, &target)?;
    running.run(&["hit 5"])?;
    scratch.wait_for_events_of(&agent, target.provider(), 10)?;
    measures_itself(&agent)?;
    until("the governor has a reading", || {
        let budget = Control::of(&scratch).get("/api/v1/budget")?;
        ensure!(budget["current"]["memory_bytes"].is_u64(), "{budget}");
        Ok(Some(()))
    })?;
    let profile = Control::of(&scratch).get("/api/v1/profile")?;
    assert!(profile["current"]["thread_count"].as_u64().is_some_and(|count| count > 1), "{profile}");
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// Without privilege it sees nobody, watches nothing, says so, and measures itself.
pub(crate) fn nobody() -> Result<()> {
    let scratch = Scratch::new()?;
    let copy = scratch.path("sidecar");
    std::fs::copy(agent::path()?, &copy)?;
    let config = scratch.config_with_sink("health_checks: {interval_sec: 1}\n", Path::new("/dev/null"))?;
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644))?;
    let as_nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    let agent = Agent::spawn(&mut hidden(&copy, &config, as_nobody))?.ready()?;
    let health = agent.health()?;
    assert_eq!(health["status"], "degraded", "{health}");
    let kernel = health["components"]["kernel"]["message"].as_str().unwrap_or_default();
    assert!(kernel.contains("nothing is observed: no privilege for BPF"), "{kernel}");
    measures_itself(&agent)?;
    let log = agent.finish()?;
    assert!(!log.contains("panicked"), "{log}");
    Ok(())
}
