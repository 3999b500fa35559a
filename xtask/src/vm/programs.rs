//! The programs that go into the guest: built by cargo as for this machine's own kernel tests.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process;

/// What a build made.
pub(super) struct Programs {
    /// The agent.
    pub(super) agent: PathBuf,
    /// Test programs, by name.
    pub(super) tests: Vec<(String, PathBuf)>,
    /// What the tests start, by name.
    pub(super) targets: Vec<(String, PathBuf)>,
}

/// Builds the agent, the named test programs, and what these start.
pub(super) fn build(tests: &[&str]) -> Result<Programs> {
    let agent = executables(&["build", "-p", "sidecar-agent", "--bin", "sidecar"])?;
    let (_, agent) = agent.into_iter().next().context("cargo names no program `sidecar`")?;
    let targets = executables(&["build", "-p", "sidecar-tests", "--bins"])?;
    let mut arguments = vec!["test", "--no-run", "-p", "sidecar-tests"];
    for test in tests {
        arguments.extend(["--test", test]);
    }
    let tests = executables(&arguments)?;
    let tests = tests.into_iter().filter(|(name, _)| name.starts_with("kernel")).collect();
    Ok(Programs { agent, tests, targets })
}

fn executables(arguments: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut command = process::command(["cargo"]);
    command.args(arguments).args(["--message-format", "json-render-diagnostics"]);
    let output = process::output(&mut command)?;
    let found = named(&output);
    ensure!(!found.is_empty(), "`{}` names no program", process::shown(&command));
    Ok(found)
}

/// The executables in cargo's messages.
fn named(messages: &str) -> Vec<(String, PathBuf)> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| {
            let executable = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(executable)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_taken_from_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"lib"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"kernel"},"executable":"/t/deps/kernel-1"}
            no JSON
            {"reason":"build-finished","success":true}"#;
        assert_eq!(named(messages), [("kernel".to_owned(), PathBuf::from("/t/deps/kernel-1"))]);
    }
}
