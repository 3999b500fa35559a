//! What the agent says of its own cost.

use anyhow::{Context, Result, ensure};
use sidecar_tests::node::until;

use crate::watching::{all, started};

pub(crate) fn measured() -> Result<()> {
    let mut config = all();
    config.profiling.sampling_interval = 0.2;
    let runtime = started(config)?;
    let profiler = runtime.profiler().context("it does not run")?;
    let summary = until("two measurements", || {
        let summary = profiler.get_summary(60.0);
        Ok((summary.sample_count >= 2).then_some(summary))
    })?;
    let now = profiler.get_current().context("nothing was measured")?;
    ensure!(now.memory_mb.is_some_and(|mb| mb > 1.0 && mb < 10_000.0), "{now:?}");
    ensure!(now.thread_count.is_some_and(|count| count >= 2), "{now:?}");
    ensure!(now.cpu_percent.is_none_or(|percent| (0.0..=100_000.0).contains(&percent)), "{now:?}");
    ensure!(summary.memory_max >= summary.memory_avg && summary.memory_max.is_some(), "{summary:?}");
    Ok(())
}
