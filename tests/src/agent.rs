//! The built program `sidecar`, as black-box tests use it: a copy of their own, so that a build beside the tests
//! does not change it under them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::kernel::session::OBJECT_VARIABLE;
use crate::{kernel::program::share, suite::without_cargo};

/// Names a built program that takes the place of the one that is built for the tests.
pub const AGENT_VARIABLE: &str = "SIDECAR_TEST_AGENT";

/// Where the copy is; its folder is removed by [`clean_up`].
static COPY: OnceLock<Result<(TempDir, PathBuf), String>> = OnceLock::new();

/// The program: built by cargo on the first call, in the profile of the running test.
///
/// # Errors
/// When cargo can't build it.
pub fn path() -> Result<&'static Path> {
    match COPY.get_or_init(|| copy().map_err(|error| format!("{error:#}"))) {
        Ok((_, path)) => Ok(path),
        Err(error) => Err(anyhow::anyhow!("there is no agent to test: {error}")),
    }
}

/// Removes the copy. Statics are never dropped, so the test program's `main` calls this.
pub fn clean_up() {
    if let Some(Ok((folder, _))) = COPY.get() {
        // What can't be removed is in the system's folder for such things.
        let _ = std::fs::remove_dir_all(folder.path());
    }
}

/// The object that the environment names, as arguments of the agent.
#[must_use]
pub fn object_arguments() -> Vec<std::ffi::OsString> {
    std::env::var_os(OBJECT_VARIABLE).map_or_else(Vec::new, |object| vec!["--bpf-object".into(), object])
}

fn copy() -> Result<(TempDir, PathBuf)> {
    let original = match std::env::var_os(AGENT_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => build()?,
    };
    let folder = tempfile::tempdir()?;
    share(folder.path())?;
    let path = folder.path().join("sidecar");
    std::fs::copy(&original, &path).with_context(|| original.display().to_string())?;
    Ok((folder, path))
}

/// Builds the program as users do, and asks cargo where it is.
fn build() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = Command::new("cargo");
    without_cargo(&mut command);
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", target);
    }
    command.args(["build", "-p", "sidecar-agent", "--bin", "sidecar", "--message-format", "json"]);
    command.arg("--manifest-path").arg(manifest);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    ensure!(output.status.success(), "cargo build ended with {}", output.status);
    let messages = String::from_utf8(output.stdout).context("cargo's messages")?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == "sidecar")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .context("cargo names no program `sidecar`")
}
