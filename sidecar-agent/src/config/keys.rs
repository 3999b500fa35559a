//! Every key: its name, its type and range, and what it does. The one list that reading, checking, `effective`
//! and the reference are made of.

use std::net::SocketAddr;

use super::lists::{library, path_glob};
use super::scalar::Scalar;
use super::{Config, Fault, Sink};

/// One key of the section.
pub struct Key {
    /// The dotted name below the section.
    pub name: &'static str,
    /// The environment variable that overrides it.
    pub env: Option<&'static str>,
    /// What it does, in one sentence.
    pub effect: &'static str,
    /// Whether it changes anything in this version.
    pub in_force: bool,
    pub(super) field: Field,
}

/// Type, range and place of a key's value.
pub(super) enum Field {
    Switch(fn(&mut Config) -> &mut bool),
    Number {
        place: fn(&mut Config) -> &mut f64,
        min: f64,
        max: f64,
    },
    Count {
        place: fn(&mut Config) -> &mut u64,
        min: u64,
        max: u64,
        power_of_two: bool,
    },
    Address(fn(&mut Config) -> &mut SocketAddr),
    /// An absolute path; empty is none.
    Path(fn(&mut Config) -> &mut String),
    Texts {
        place: fn(&mut Config) -> &mut Vec<String>,
        check: fn(&str) -> Result<(), String>,
        what: &'static str,
    },
    Probes,
    Sinks,
}

impl Key {
    /// What values it takes, for people.
    #[must_use]
    pub fn range(&self) -> String {
        match &self.field {
            Field::Switch(_) => "true, false".to_owned(),
            Field::Number { min, max, .. } => format!("{min} to {max}"),
            Field::Count { min, max, power_of_two: false, .. } => format!("{min} to {max}, whole"),
            Field::Count { min, max, power_of_two: true, .. } => format!("{min} to {max}, a power of two"),
            Field::Address(_) => "address:port".to_owned(),
            Field::Path(_) => "absolute path, or empty".to_owned(),
            Field::Texts { what, .. } => format!("list of {what}"),
            Field::Probes | Field::Sinks => "list, see below".to_owned(),
        }
    }

    /// The value in force, for people.
    #[must_use]
    pub fn value(&self, config: &Config) -> String {
        let mut config = config.clone();
        match &self.field {
            Field::Switch(place) => place(&mut config).to_string(),
            Field::Number { place, .. } => place(&mut config).to_string(),
            Field::Count { place, .. } => place(&mut config).to_string(),
            Field::Address(place) => place(&mut config).to_string(),
            Field::Path(place) if place(&mut config).is_empty() => "(none)".to_owned(),
            Field::Path(place) => place(&mut config).clone(),
            Field::Texts { place, .. } => format!("[{}]", place(&mut config).join(", ")),
            Field::Probes => {
                let names = config.probes.iter().map(|probe| format!("{}:{}", probe.provider, probe.marker));
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
            Field::Sinks => {
                let names = config.sinks.iter().map(|sink| match sink {
                    Sink::Jsonl { path } => format!("jsonl {path}"),
                });
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Puts a scalar in the value's place.
    pub(super) fn set(&self, config: &mut Config, scalar: &Scalar) -> Result<(), Fault> {
        match &self.field {
            Field::Switch(place) => *place(config) = scalar.switch()?,
            Field::Number { place, min, max } => *place(config) = scalar.number(*min, *max)?,
            Field::Count { place, min, max, power_of_two } => {
                let count = scalar.count(*min, *max)?;
                if *power_of_two && !count.is_power_of_two() {
                    return Err(Fault::Range { found: count.to_string(), range: self.range() });
                }
                *place(config) = count;
            }
            Field::Address(place) => {
                let text = scalar.text()?;
                *place(config) = text.parse().map_err(|_| Fault::Text {
                    found: super::scalar::shown(&text),
                    problem: "is no address with a port, as in 127.0.0.1:9808 or [::1]:9808".to_owned(),
                })?;
            }
            Field::Path(place) => {
                let text = if *scalar == Scalar::Null { String::new() } else { scalar.text()? };
                if !text.is_empty() && !text.starts_with('/') {
                    let problem = "is no absolute path".to_owned();
                    return Err(Fault::Text { found: super::scalar::shown(&text), problem });
                }
                *place(config) = text;
            }
            Field::Texts { .. } | Field::Probes | Field::Sinks => {
                return Err(Fault::Type { wants: format!("a {}", self.range()), found: scalar.describe() });
            }
        }
        Ok(())
    }
}

/// The key of a dotted name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether a dotted name is a mapping that holds keys.
pub(super) fn is_group(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The names below a group (`""`: below the section), without repetition.
pub(super) fn below(group: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for key in KEYS {
        let rest = match group {
            "" => Some(key.name),
            group => key.name.strip_prefix(group).and_then(|rest| rest.strip_prefix('.')),
        };
        let name = rest.map(|rest| rest.split_once('.').map_or(rest, |(first, _)| first));
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

/// The keys of the section itself.
pub(super) fn top_level() -> Vec<&'static str> {
    below("")
}

const fn key(name: &'static str, effect: &'static str, field: Field) -> Key {
    Key { name, env: None, effect, in_force: true, field }
}

const fn later(key: Key) -> Key {
    Key { in_force: false, ..key }
}

const fn env(name: &'static str, key: Key) -> Key {
    Key { env: Some(name), ..key }
}

const fn rate(place: fn(&mut Config) -> &mut f64) -> Field {
    Field::Number { place, min: 0.0, max: 1.0 }
}

const fn number(place: fn(&mut Config) -> &mut f64, min: f64, max: f64) -> Field {
    Field::Number { place, min, max }
}

const fn count(place: fn(&mut Config) -> &mut u64, min: u64, max: u64) -> Field {
    Field::Count { place, min, max, power_of_two: false }
}

/// Longest time that a key takes, in seconds: a day.
const DAY: f64 = 86_400.0;

/// Every key, in the order of the reference. The user's own signals (`sampling.NAME`) come besides.
pub static KEYS: &[Key] = &[
    env(
        "SIDECAR_ENABLED",
        key("enabled", "False: nothing is watched; health still answers.", Field::Switch(|c| &mut c.enabled)),
    ),
    key(
        "sampling.enabled",
        "False: every event is kept, whatever the rates say.",
        Field::Switch(|c| &mut c.sampling.enabled),
    ),
    env(
        "SIDECAR_SAMPLE_EVENTS",
        key(
            "sampling.events",
            "Share of tests whose custom events are kept.",
            rate(|c| &mut c.sampling.events),
        ),
    ),
    env(
        "SIDECAR_SAMPLE_TRACES",
        key("sampling.traces", "The same for the signal `traces`.", rate(|c| &mut c.sampling.traces)),
    ),
    env(
        "SIDECAR_SAMPLE_PROFILING",
        key(
            "sampling.profiling",
            "The same for the signal `profiling`.",
            rate(|c| &mut c.sampling.profiling),
        ),
    ),
    env(
        "SIDECAR_SAMPLE_TEST_EVENTS",
        key(
            "sampling.test_events",
            "Share of tests whose starts and ends are kept; ends that did not pass always are.",
            rate(|c| &mut c.sampling.test_events),
        ),
    ),
    key(
        "sampling.perf_metrics",
        "The same for the signal `perf_metrics`.",
        rate(|c| &mut c.sampling.perf_metrics),
    ),
    key("sampling.debug_logs", "The same for the signal `debug_logs`.", rate(|c| &mut c.sampling.debug_logs)),
    later(key(
        "sampling.adaptive.enabled",
        "Anomalies raise their signal's rate. `adaptive: enabled` is short for it.",
        Field::Switch(|c| &mut c.sampling.adaptive.enabled),
    )),
    later(key(
        "sampling.adaptive.boost_factor",
        "A raised rate is this many times the configured one.",
        number(|c| &mut c.sampling.adaptive.boost_factor, 1.0, 1000.0),
    )),
    later(key(
        "sampling.adaptive.boost_duration",
        "Seconds for which a rate stays raised.",
        number(|c| &mut c.sampling.adaptive.boost_duration, 1.0, DAY),
    )),
    later(key(
        "sampling.adaptive.anomaly_threshold",
        "Anomalies within the window that raise the rate.",
        count(|c| &mut c.sampling.adaptive.anomaly_threshold, 1, 1_000_000),
    )),
    later(key(
        "sampling.adaptive.anomaly_window",
        "The window in seconds.",
        number(|c| &mut c.sampling.adaptive.anomaly_window, 1.0, DAY),
    )),
    env(
        "SIDECAR_MAX_QUEUE_SIZE",
        key(
            "resources.max_queue_size",
            "Events that wait in the agent at most.",
            count(|c| &mut c.resources.max_queue_size, 100, 10_000_000),
        ),
    ),
    env(
        "SIDECAR_CPU_BUDGET",
        later(key(
            "resources.max_cpu_percent",
            "The agent's budget in percent of one core.",
            number(|c| &mut c.resources.max_cpu_percent, 0.1, 100.0),
        )),
    ),
    env(
        "SIDECAR_MEMORY_BUDGET_MB",
        later(key(
            "resources.max_memory_mb",
            "The agent's memory budget in MB (10^6 bytes).",
            count(|c| &mut c.resources.max_memory_mb, 10, 1_000_000),
        )),
    ),
    key(
        "resources.drop_on_full",
        "A full queue drops its oldest event (true) or refuses the new one (false).",
        Field::Switch(|c| &mut c.resources.drop_on_full),
    ),
    later(key(
        "profiling.enabled",
        "The agent measures its own cost.",
        Field::Switch(|c| &mut c.profiling.enabled),
    )),
    later(key(
        "profiling.sampling_interval",
        "Seconds between two measurements.",
        number(|c| &mut c.profiling.sampling_interval, 0.1, 3600.0),
    )),
    later(key(
        "profiling.deep_profiling",
        "It measures each of its threads and BPF programs.",
        Field::Switch(|c| &mut c.profiling.deep_profiling),
    )),
    later(key(
        "health_checks.enabled",
        "The agent checks its parts.",
        Field::Switch(|c| &mut c.health_checks.enabled),
    )),
    later(key(
        "health_checks.interval_sec",
        "Seconds between two checks.",
        count(|c| &mut c.health_checks.interval_sec, 1, 86_400),
    )),
    later(key(
        "health_checks.failure_threshold",
        "Failures in a row that make a part unhealthy.",
        count(|c| &mut c.health_checks.failure_threshold, 1, 1000),
    )),
    key("probes", "Markers of other programs and what their arguments mean.", Field::Probes),
    key(
        "discovery.files",
        "Files in which markers are looked for.",
        Field::Texts { place: |c| &mut c.discovery.files, check: path_glob, what: "globs of absolute paths" },
    ),
    key(
        "discovery.libraries",
        "Libraries in which markers are looked for.",
        Field::Texts {
            place: |c| &mut c.discovery.libraries,
            check: library,
            what: "file names or absolute paths",
        },
    ),
    key(
        "discovery.exec",
        "Each program that is executed is looked at.",
        Field::Switch(|c| &mut c.discovery.exec),
    ),
    key(
        "discovery.max_string_bytes",
        "Longest string or byte block that is read, in bytes with its NUL; longer ones are cut.",
        count(|c| &mut c.discovery.max_string_bytes, 1, sidecar_common::MAX_STRING as u64),
    ),
    key(
        "discovery.ring_bytes",
        "Size of the buffer between kernel and agent.",
        Field::Count { place: |c| &mut c.discovery.ring_bytes, min: 4096, max: 1 << 30, power_of_two: true },
    ),
    key(
        "discovery.max_specs",
        "Most marker sites that are watched at a time.",
        count(|c| &mut c.discovery.max_specs, 64, 65_536),
    ),
    key("sinks", "Where `sidecar run` writes its events.", Field::Sinks),
    key("http.enabled", "Health and metrics over HTTP.", Field::Switch(|c| &mut c.http.enabled)),
    key("http.listen", "Where the HTTP server listens.", Field::Address(|c| &mut c.http.listen)),
    key(
        "http.socket",
        "Unix socket of the control API, for root alone. Without the default one the agent goes on.",
        Field::Path(|c| &mut c.http.socket),
    ),
    key(
        "http.web_config",
        "TLS, users and headers of the address, in the format of the Prometheus exporters.",
        Field::Path(|c| &mut c.http.web_config),
    ),
    key(
        "http.max_connections",
        "Connections served at once, by the address and by the socket each.",
        count(|c| &mut c.http.max_connections, 4, 4096),
    ),
    key(
        "http.max_streams",
        "Clients that read the stream of events at a time.",
        count(|c| &mut c.http.max_streams, 1, 256),
    ),
    key(
        "security.token_file",
        "File with the token that the API asks for over the address.",
        Field::Path(|c| &mut c.security.token_file),
    ),
];
