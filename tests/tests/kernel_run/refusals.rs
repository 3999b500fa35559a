//! What ends the agent before it begins, and what it lives with: bad configs, no privilege, no BPF.

use std::os::unix::process::CommandExt;
use std::path::Path;

use anyhow::Result;
use sidecar_tests::agent;
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command};

/// Its exit status and what it said, with this config.
fn ends_with(config: &Path) -> Result<(Option<i32>, String)> {
    let output = command(Some(config))?.output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

pub(crate) fn configs() -> Result<()> {
    let scratch = Scratch::new()?;
    let cases: [(&str, &[&str]); 7] = [
        ("sidecar: [\n", &["bad.yml:"]),
        ("sidecar:\n\tenabled: true\n", &["bad.yml:2:1", "not YAML"]),
        ("sidecar:\n  sampling:\n    evnets: 0.5\n", &["bad.yml:3", "sampling.evnets", "events"]),
        ("sidecar:\n  sampling: {events: 7}\n", &["bad.yml:2", "sampling.events", "0 to 1"]),
        ("sidecar:\n  http: {listen: nowhere}\n", &["bad.yml:2", "http.listen"]),
        ("sidecar:\n  probes: [{provider: a, marker: b, event: test_end}]\n", &["bad.yml:2", "probes[0]"]),
        (
            "sidecar:\n  probes: [{provider: a, marker: b, args: [test_id, test_id]}]\n",
            &["bad.yml:2", "probes[0]"],
        ),
    ];
    let path = scratch.path("bad.yml");
    for (text, says) in cases {
        std::fs::write(&path, text)?;
        let (code, said) = ends_with(&path)?;
        // As of `sidecar check`.
        assert_eq!(code, Some(78), "{text}: {said}");
        for word in says {
            assert!(said.contains(word), "{text} should be told with `{word}`: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    for (path, says) in [(scratch.path("missing.yml"), "No such file"), (scratch.path(""), "no regular file")]
    {
        let (code, said) = ends_with(&path)?;
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains(&path.display().to_string()) && said.contains(says), "{said}");
    }
    let output = std::process::Command::new(agent::path()?).args(["run", "--listen", "nonsense"]).output()?;
    assert_eq!(output.status.code(), Some(2));
    let help = std::process::Command::new(agent::path()?).args(["run", "--help"]).output()?;
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit status"));
    Ok(())
}

/// The state of an agent that may not use BPF: degraded with the reason, ready, and with metrics.
fn serves_without_bpf(agent: Agent) -> Result<()> {
    let health = agent.health()?;
    assert_eq!(health["status"], "degraded", "{health}");
    let kernel = health["components"]["kernel"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(kernel.contains("nothing is observed: no privilege for BPF"), "{kernel}");
    assert_eq!(agent.get("/health")?.status, 200);
    assert!(agent.get("/readyz?verbose")?.body.contains("kernel: not available"));
    let metrics = agent.metrics()?;
    assert!(
        metrics.count("sidecar_build_info", &[]) == 1 && metrics.count("sidecar_attached_sites", &[]) == 0
    );
    let log = agent.finish()?;
    assert!(log.contains("run as root, or with CAP_BPF"), "{log}");
    Ok(())
}

/// A copy of the program that others may run, and a config whose sink they may write.
fn for_others(scratch: &Scratch) -> Result<(std::path::PathBuf, std::path::PathBuf)> {
    use std::os::unix::fs::PermissionsExt;
    let copy = scratch.path("sidecar");
    std::fs::copy(agent::path()?, &copy)?;
    let config = scratch.config_with_sink("", Path::new("/dev/null"))?;
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644))?;
    Ok((copy, config))
}

pub(crate) fn not_root() -> Result<()> {
    let scratch = Scratch::new()?;
    let (copy, config) = for_others(&scratch)?;
    let mut command = std::process::Command::new(copy);
    command.args(["run", "--listen", "127.0.0.1:0", "--config"]).arg(config).env_clear();
    command.stderr(std::process::Stdio::piped()).uid(65_534).gid(65_534);
    serves_without_bpf(Agent::spawn(&mut command)?.ready()?)
}

/// Root without the capabilities, as in a container.
pub(crate) fn root_without_capabilities() -> Result<()> {
    let scratch = Scratch::new()?;
    let (copy, config) = for_others(&scratch)?;
    let mut command = std::process::Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(copy);
    command.args(["run", "--listen", "127.0.0.1:0", "--config"]).arg(config).env_clear();
    command.stderr(std::process::Stdio::piped()).env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    serves_without_bpf(Agent::spawn(&mut command)?.ready()?)
}

/// Switched off: nothing is kept, and it says so.
pub(crate) fn switched_off() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent = Agent::start(&scratch.config(&format!("enabled: false\n{}", target.probes()))?)?;
    target.run(&["hit 3"])?;
    let health = agent.health()?;
    assert_eq!(health["status"], "degraded");
    let message = health["components"]["kernel_programs"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("enabled: false"), "{health}");
    let metrics = agent.metrics()?;
    assert_eq!(crate::basics::balance(&metrics, target.provider(), "hit").1, 0);
    agent.finish()?;
    Ok(())
}
