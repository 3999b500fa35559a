//! The agent's own registry (never the crate's global one) and the text it gives to a scrape.

use std::sync::Arc;

use prometheus::{Registry, TextEncoder, proto::MetricType};

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

    /// Every metric: name, kind, the sum over its series (of a histogram the number of observations), and help.
    #[must_use]
    pub fn values(&self) -> Vec<(String, String, f64, String)> {
        let value = |metric: &prometheus::proto::Metric, kind: MetricType| match kind {
            MetricType::COUNTER => metric.get_counter().get_value(),
            MetricType::GAUGE => metric.get_gauge().get_value(),
            MetricType::HISTOGRAM => metric.get_histogram().get_sample_count() as f64,
            MetricType::SUMMARY => metric.get_summary().sample_count() as f64,
            MetricType::UNTYPED => 0.0,
        };
        self.registry
            .gather()
            .iter()
            .map(|family| {
                let kind = family.get_field_type();
                let sum = family.get_metric().iter().map(|metric| value(metric, kind)).sum();
                let word = format!("{kind:?}").to_lowercase();
                (family.name().to_owned(), word, sum, family.help().to_owned())
            })
            .collect()
    }

    /// The text of one scrape. Calls [`Source::snapshot`] once and blocks as long as that does.
    ///
    /// # Errors
    /// The encoder refuses a metric.
    pub fn encode(&self) -> Result<String, MetricsError> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(MetricsError::Encode)
    }
}
