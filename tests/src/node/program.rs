//! Programs to be watched, each with a provider of its own, so that no other test's agent looks at it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::kernel::program::Running;

/// A compiled `target.c`.
pub struct Target {
    provider: String,
    path: PathBuf,
}

/// A provider that nobody else has.
#[must_use]
pub fn provider() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Target {
    /// Compiles it to `path` with a new provider.
    ///
    /// # Errors
    /// When the compiler fails.
    pub fn compile(path: &Path) -> Result<Self> {
        Self::with(path, &provider(), &[])
    }

    /// Compiles it with this provider and these further arguments of the compiler.
    ///
    /// # Errors
    /// When the compiler fails.
    pub fn with(path: &Path, provider: &str, flags: &[&str]) -> Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/node/target.c");
        let output = Command::new("cc")
            .args(["-O1", "-o"])
            .arg(path)
            .arg(format!("-DPROVIDER={provider}"))
            .args(flags)
            .arg(source)
            .output()
            .context("running the C compiler `cc`")?;
        ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { provider: provider.to_owned(), path: path.to_owned() })
    }

    /// Its provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The probes of its markers, as entries of the config's `probes`. The events of its tests have types of their own.
    #[must_use]
    pub fn probes(&self) -> String {
        let provider = &self.provider;
        format!(
            "probes:
  - {{provider: {provider}, marker: start, event: test_start, event_type: {provider}_start, args: [test_id]}}
  - provider: {provider}
    marker: end
    event: test_end
    event_type: {provider}_end
    args: [test_id, status, {{role: duration, unit: ns}}, message]
    status: {{0: passed, 1: failed, 7: skipped}}
  - {{provider: {provider}, marker: hit, event_type: {provider}_hit, args: [{{name: number}}, {{name: text, type: string}}]}}
  - provider: {provider}
    marker: odd
    event_type: {provider}_odd
    args: [{{name: first}}, {{name: second}}, {{name: third, type: string}}]
  - {{provider: {provider}, marker: many, event_type: {provider}_many}}
"
        )
    }

    /// Starts it and waits until it says `ready`.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self) -> Result<Running> {
        Running::start(&mut Command::new(&self.path))
    }

    /// Runs it with these lines to its end.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, lines: &[&str]) -> Result<()> {
        let status = Command::new(&self.path).args(lines).status()?;
        ensure!(status.success(), "{status}");
        Ok(())
    }
}
