//! The agent's own registry (never the crate's global one) and the text it gives to a scrape.

use std::sync::Arc;

use prometheus::{Registry, TextEncoder};

use super::collector::Kernel;
use super::process::Process;
use super::snapshot::Source;

/// Content type of [`Metrics::encode`]: the text exposition format, in UTF-8.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is running.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The agent's version.
    pub version: String,
    /// The processor architecture it was built for.
    pub arch: String,
    /// Digest of the kernel object, or why there is none (`none`).
    pub kernel_object: String,
}

/// Why metrics can't be given.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// A metric can't be registered: two have the same name, or a name is malformed.
    #[error("can't register the metrics: {0}")]
    Register(#[source] prometheus::Error),
    /// The text can't be made.
    #[error("can't encode the metrics: {0}")]
    Encode(#[source] prometheus::Error),
}

/// The metrics of the agent and of its process.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Metrics that read `source` at each scrape.
    ///
    /// # Errors
    /// A metric's name is malformed or taken.
    pub fn new(source: Arc<dyn Source>, build: BuildInfo) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let kernel = Kernel::new(source, build).map_err(MetricsError::Register)?;
        registry.register(Box::new(kernel)).map_err(MetricsError::Register)?;
        registry.register(Box::new(Process::new())).map_err(MetricsError::Register)?;
        Ok(Self { registry })
    }

    /// The text of one scrape. Calls [`Source::snapshot`] once and blocks as long as that does.
    ///
    /// # Errors
    /// The encoder refuses a metric.
    pub fn encode(&self) -> Result<String, MetricsError> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(MetricsError::Encode)
    }
}
