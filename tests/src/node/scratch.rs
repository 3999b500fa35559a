//! A test's own folder, with its config and what the agent writes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Agent, events, until};

/// A folder that everybody may enter, a config and a sink in it.
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// An empty one.
    ///
    /// # Errors
    /// When there is no room.
    pub fn new() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder })
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the agent writes its events.
    #[must_use]
    pub fn sink(&self) -> PathBuf {
        self.path("events.jsonl")
    }

    /// Writes a config: these lines of the section, and the sink.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn config(&self, section: &str) -> Result<PathBuf> {
        let sink = self.sink();
        self.config_with_sink(section, &sink)
    }

    /// The same with another sink.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn config_with_sink(&self, section: &str, sink: &Path) -> Result<PathBuf> {
        let path = self.path("sidecar.yml");
        let sink = format!("sinks: [{{type: jsonl, path: {}}}]", sink.display());
        // A debug build on a busy machine is over the default budget, and what the governor then gives up is not what
        // most tests are about.
        let budget = if section.contains("resources:") || section.contains("max_cpu_percent") {
            ""
        } else {
            "resources: {max_cpu_percent: 100}\n"
        };
        std::fs::write(
            &path,
            format!("{budget}{section}\n{sink}\n").replace('\n', "\n  ").replacen("", "sidecar:\n  ", 1),
        )?;
        Ok(path)
    }

    /// Waits until the sink has `count` events of one provider, gives them, and checks that no more come with them. Other
    /// tests of this machine may fire sidecar's own markers.
    ///
    /// # Errors
    /// With the agent's log, when they do not come.
    pub fn wait_for_events_of(
        &self,
        agent: &Agent,
        provider: &str,
        count: usize,
    ) -> Result<Vec<serde_json::Value>> {
        let found = until(&format!("{count} events of {provider}"), || {
            let mut found = events(&self.sink())?;
            found.retain(|event| event["provider"] == provider);
            anyhow::ensure!(found.len() >= count, "{} of {count} events", found.len());
            Ok(Some(found))
        });
        let found = found.with_context(|| agent.log())?;
        assert_eq!(found.len(), count, "more events than hits: {found:?}");
        Ok(found)
    }
}
