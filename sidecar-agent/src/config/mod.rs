//! The configuration: defaults, then a YAML file, then the environment, then flags.
//!
//! [`load`] is pure: it takes the file's text and the environment as a map. [`read`] and [`Watch`] alone touch
//! the disk. Each value keeps its [`Source`]; [`KEYS`] lists every key with its range, default and effect. The
//! table of docs/configuration.md, docs/sidecar.example.yml and docs/sidecar.schema.json are made of it, and
//! [`changes`] goes by it.
mod chain;
mod diff;
mod env;
mod error;
mod example;
mod expand;
mod file;
mod first_event;
mod functions;
mod handlers;
mod handlers_load;
mod key;
mod keys;
mod lists;
mod load;
mod nearest;
mod place;
mod presets;
mod reference;
mod renamed;
mod scalar;
mod schema;
mod section;
mod shapes;
mod shapes_handlers;
mod signals;
mod source;
mod watch;
mod yaml;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

pub use diff::{Change, NotLive, changes, only_live};
pub use env::environment;
pub use error::{ConfigError, EX_CONFIG, Fault};
pub use example::example;
pub use file::{DEFAULT_FILE, FileText, MAX_FILE_BYTES, read, read_file};
pub use first_event::FirstEvent;
pub use functions::{FunctionConfig, FunctionName, FunctionPlace};
pub use handlers::{
    Action, CommandAction, HANDLER_TYPES, HandlerConfig, HttpAction, JsonlAction, Secret, When,
};
pub use key::Key;
pub use keys::KEYS;
pub use lists::{ArgConfig, ProbeConfig, Sink};
pub use load::{Override, Sources, load};
pub use nearest::nearest;
pub use place::Place;
pub use presets::PRESETS;
pub use reference::reference_table;
pub use schema::schema;
pub use signals::{BUILTIN_SIGNALS, Signal, rate_of, threshold};
pub use source::Source;
pub use watch::{FileState, Watch, WatchError};

/// Everything that can be configured, checked and in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whether the agent watches at all.
    pub enabled: bool,
    /// Rates by signal.
    pub sampling: Sampling,
    /// Limits of the agent itself.
    pub resources: Resources,
    /// How the agent watches its own cost.
    pub profiling: Profiling,
    /// How the agent watches its own health.
    pub health_checks: HealthChecks,
    /// The user's own markers.
    pub probes: Vec<ProbeConfig>,
    /// Names of the ready sets of mappings that are on.
    pub presets: Vec<String>,
    /// The functions that are watched.
    pub functions: Vec<FunctionConfig>,
    /// Where markers are looked for, and how they are read.
    pub discovery: Discovery,
    /// Where events go.
    pub sinks: Vec<Sink>,
    /// What is done about events.
    pub handlers: Vec<HandlerConfig>,
    /// The HTTP server.
    pub http: Http,
    /// What makes the agent read its configuration again.
    pub reload: Reload,
    /// How the agent ends.
    pub shutdown: Shutdown,
    /// What was set and is probably a slip, for people.
    hints: Vec<String>,
    /// What the API asks for.
    pub security: Security,
    /// Where the values that are not defaults came from, by dotted key.
    sources: BTreeMap<String, Source>,
}

/// `sampling`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// False: everything is kept.
    pub enabled: bool,
    /// Rate of `events`, 0 to 1.
    pub events: f64,
    /// Rate of `traces`, 0 to 1.
    pub traces: f64,
    /// Rate of `profiling`, 0 to 1.
    pub profiling: f64,
    /// Rate of `test_events`, 0 to 1.
    pub test_events: f64,
    /// Rate of `perf_metrics`, 0 to 1.
    pub perf_metrics: f64,
    /// Rate of `debug_logs`, 0 to 1.
    pub debug_logs: f64,
    /// The user's own signals with their rates, in the file's order.
    pub user: Vec<(String, f64)>,
    /// How anomalies raise a rate.
    pub adaptive: Adaptive,
}

/// `sampling.adaptive`.
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptive {
    /// Whether anomalies raise a rate.
    pub enabled: bool,
    /// A raised rate is this many times the configured one, at most 1.
    pub boost_factor: f64,
    /// How long a rate stays raised, in seconds.
    pub boost_duration: f64,
    /// Anomalies within the window that raise the rate.
    pub anomaly_threshold: u64,
    /// The window in seconds.
    pub anomaly_window: f64,
    /// Seconds of an hour for which a signal's rate may be raised.
    pub max_boost_seconds_per_hour: f64,
}

/// `resources`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Events that wait in the agent at most.
    pub max_queue_size: u64,
    /// The agent's budget in percent of one core.
    pub max_cpu_percent: f64,
    /// The agent's budget in MB (10^6 bytes).
    pub max_memory_mb: u64,
    /// A full queue drops its oldest event (true) or refuses the new one (false).
    pub drop_on_full: bool,
}

/// `profiling`.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiling {
    /// Whether the agent measures its own cost.
    pub enabled: bool,
    /// Seconds between two measurements.
    pub sampling_interval: f64,
    /// Whether it measures each thread and each BPF program.
    pub deep_profiling: bool,
}

/// `health_checks`.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthChecks {
    /// Whether the agent checks its parts.
    pub enabled: bool,
    /// Seconds between two checks.
    pub interval_sec: u64,
    /// Failures in a row that make a part unhealthy.
    pub failure_threshold: u64,
}

/// `discovery`.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// Globs of absolute paths of files to watch.
    pub files: Vec<String>,
    /// Names or absolute paths of libraries to watch.
    pub libraries: Vec<String>,
    /// Whether each program that is executed is looked at.
    pub exec: bool,
    /// Longest string or byte block that is read from a program, in bytes with its NUL.
    pub max_string_bytes: u64,
    /// Size of the ring buffer in bytes; a power of two.
    pub ring_bytes: u64,
    /// Most sites that can be watched at a time.
    pub max_specs: u64,
    /// Whether programs wait for their probes.
    pub first_event: FirstEvent,
    /// How long a program waits at most, in seconds.
    pub first_event_deadline: f64,
}

/// `http`.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Whether the server runs.
    pub enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Path of the Unix socket; empty is none.
    pub socket: String,
    /// Path of the web configuration file; empty is none.
    pub web_config: String,
    /// Connections served at once, by each listener.
    pub max_connections: u64,
    /// Clients that read the stream of events at a time.
    pub max_streams: u64,
}

/// `reload`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reload {
    /// Whether the configuration file is watched.
    pub watch: bool,
}

/// `shutdown`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shutdown {
    /// Seconds that what waits has to be written.
    pub grace_sec: f64,
}

impl Shutdown {
    /// The time that what waits has.
    #[must_use]
    pub fn grace(&self) -> std::time::Duration {
        // The range is checked when the configuration is read.
        std::time::Duration::try_from_secs_f64(self.grace_sec).unwrap_or_default()
    }
}
/// `security`.
#[derive(Clone, Debug, PartialEq)]
pub struct Security {
    /// Path of the file with the API's token; empty is none.
    pub token_file: String,
}

/// Where the control API's Unix socket is unless configured.
pub const DEFAULT_SOCKET: &str = "/run/sidecar/sidecar.sock";

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            sampling: Sampling {
                enabled: true,
                events: 0.1,
                traces: 0.05,
                profiling: 0.01,
                test_events: 0.2,
                perf_metrics: 0.05,
                debug_logs: 0.01,
                user: Vec::new(),
                adaptive: Adaptive {
                    enabled: true,
                    boost_factor: 5.0,
                    boost_duration: 60.0,
                    anomaly_threshold: 5,
                    anomaly_window: 60.0,
                    max_boost_seconds_per_hour: 600.0,
                },
            },
            resources: Resources {
                max_queue_size: 10_000,
                max_cpu_percent: 5.0,
                max_memory_mb: 100,
                drop_on_full: true,
            },
            profiling: Profiling { enabled: true, sampling_interval: 1.0, deep_profiling: false },
            health_checks: HealthChecks { enabled: true, interval_sec: 30, failure_threshold: 3 },
            probes: Vec::new(),
            presets: presets::DEFAULT.map(str::to_owned).to_vec(),
            functions: Vec::new(),
            discovery: Discovery {
                files: Vec::new(),
                libraries: Vec::new(),
                exec: true,
                max_string_bytes: 1024,
                ring_bytes: 2 << 20,
                max_specs: 4096,
                first_event: FirstEvent::BestEffort,
                first_event_deadline: 0.05,
            },
            sinks: vec![Sink::Jsonl { path: "-".to_owned() }],
            handlers: Vec::new(),
            reload: Reload { watch: true },
            shutdown: Shutdown { grace_sec: 5.0 },
            hints: Vec::new(),
            http: Http {
                enabled: true,
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9808)),
                socket: DEFAULT_SOCKET.to_owned(),
                web_config: String::new(),
                max_connections: 64,
                max_streams: 16,
            },
            security: Security { token_file: String::new() },
            sources: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Where a key's value came from.
    #[must_use]
    pub fn source(&self, key: &str) -> Source {
        self.sources.get(key).cloned().unwrap_or(Source::Default)
    }

    /// Every key with the value in force and where it came from; the user's signals and lists at their places.
    #[must_use]
    pub fn effective(&self) -> Vec<(String, String, Source)> {
        let mut rows = Vec::new();
        for key in KEYS {
            rows.push((key.name.to_owned(), key.value(self), self.source(key.name)));
            if key.name == "sampling.debug_logs" {
                for (name, rate) in &self.sampling.user {
                    let name = format!("sampling.{name}");
                    rows.push((name.clone(), rate.to_string(), self.source(&name)));
                }
            }
        }
        rows
    }

    /// What was set and is probably a slip: variables whose names are almost those of keys.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}
