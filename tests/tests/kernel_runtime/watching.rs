//! A runtime at work, and what the tests ask of it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use sidecar_agent::{config::Config, event::Event, runtime::SidecarRuntime};

/// Everything is kept.
pub(crate) fn all() -> Config {
    let mut config = Config::default();
    config.sampling.events = 1.0;
    config.sampling.test_events = 1.0;
    config
}

/// A runtime that has started.
pub(crate) fn started(config: Config) -> Result<SidecarRuntime> {
    let mut runtime = SidecarRuntime::new(config);
    runtime.start()?;
    Ok(runtime)
}

/// A name that no other test of this machine has.
pub(crate) fn id(name: &str) -> String {
    format!("kernel_runtime_{}_{name}", std::process::id())
}

/// The events that a handler got of one test.
#[derive(Clone, Default)]
pub(crate) struct Got(Arc<Mutex<Vec<Event>>>);

impl Got {
    /// Gathers the events of a type that have a test's id.
    pub(crate) fn of(runtime: &SidecarRuntime, event_type: &str, test: &str) -> Result<Self> {
        let (got, test) = (Self::default(), test.to_owned());
        let into = got.clone();
        runtime.register_handler(event_type, move |event: &Event| {
            if event.test_id.as_ref() == Some(&test) {
                into.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
            }
        })?;
        Ok(got)
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.events().len()
    }
}

/// The sum of a metric's series.
pub(crate) fn metric(runtime: &SidecarRuntime, name: &str) -> Result<f64> {
    let metrics = runtime.get_metrics();
    ensure!(metrics.contains_key(name), "there is no {name} in {:?}", metrics.keys());
    Ok(metrics[name].value)
}
