//! Every key: its name, its type and range, and what it does. The one list that reading, checking, `effective`,
//! the reference, the example, the schema and reloading are made of.

use super::Config;
use super::key::{Field, Key};
use super::lists::{library, path_glob};
use super::presets::preset;

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
    Key { name, env: None, effect, restart: None, field }
}

/// A key that a running agent can't change, and why.
const fn fixed(why: &'static str, key: Key) -> Key {
    Key { restart: Some(why), ..key }
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

/// Why what is looked for can't change live.
const MARKERS: &str = "markers are mapped and files looked for when the agent starts";

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
    key(
        "sampling.adaptive.enabled",
        "Anomalies raise their signal's rate. `adaptive: enabled` is short for it.",
        Field::Switch(|c| &mut c.sampling.adaptive.enabled),
    ),
    key(
        "sampling.adaptive.boost_factor",
        "A raised rate is this many times the configured one.",
        number(|c| &mut c.sampling.adaptive.boost_factor, 1.0, 1000.0),
    ),
    key(
        "sampling.adaptive.boost_duration",
        "Seconds for which a rate stays raised.",
        number(|c| &mut c.sampling.adaptive.boost_duration, 1.0, DAY),
    ),
    key(
        "sampling.adaptive.anomaly_threshold",
        "Anomalies within the window that raise the rate.",
        count(|c| &mut c.sampling.adaptive.anomaly_threshold, 1, sidecar_common::MAX_ANOMALIES as u64),
    ),
    key(
        "sampling.adaptive.anomaly_window",
        "The window in seconds.",
        number(|c| &mut c.sampling.adaptive.anomaly_window, 1.0, DAY),
    ),
    key(
        "sampling.adaptive.max_boost_seconds_per_hour",
        "Seconds of an hour for which a signal's rate may be raised, whoever reports anomalies.",
        number(|c| &mut c.sampling.adaptive.max_boost_seconds_per_hour, 1.0, 3600.0),
    ),
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
        key(
            "resources.max_cpu_percent",
            "The agent's budget in percent of one core.",
            number(|c| &mut c.resources.max_cpu_percent, 0.1, 100.0),
        ),
    ),
    env(
        "SIDECAR_MEMORY_BUDGET_MB",
        key(
            "resources.max_memory_mb",
            "The agent's memory budget in MB (10^6 bytes).",
            count(|c| &mut c.resources.max_memory_mb, 10, 1_000_000),
        ),
    ),
    key(
        "resources.drop_on_full",
        "A full queue drops its oldest event (true) or refuses the new one (false).",
        Field::Switch(|c| &mut c.resources.drop_on_full),
    ),
    key("profiling.enabled", "The agent measures its own cost.", Field::Switch(|c| &mut c.profiling.enabled)),
    key(
        "profiling.sampling_interval",
        "Seconds between two measurements.",
        number(|c| &mut c.profiling.sampling_interval, 0.1, 3600.0),
    ),
    key(
        "profiling.deep_profiling",
        "It measures each of its threads and BPF programs.",
        Field::Switch(|c| &mut c.profiling.deep_profiling),
    ),
    key(
        "health_checks.enabled",
        "The agent checks its parts, and health tells their states.",
        Field::Switch(|c| &mut c.health_checks.enabled),
    ),
    key(
        "health_checks.interval_sec",
        "Seconds between two checks.",
        count(|c| &mut c.health_checks.interval_sec, 1, 86_400),
    ),
    key(
        "health_checks.failure_threshold",
        "Failures in a row that make a handler degraded.",
        count(|c| &mut c.health_checks.failure_threshold, 1, 1000),
    ),
    key(
        "reload.watch",
        "The configuration file is watched; a change of it is a reload, as SIGHUP is.",
        Field::Switch(|c| &mut c.reload.watch),
    ),
    key(
        "shutdown.grace_sec",
        "Seconds that what waits has to be written when the agent ends.",
        number(|c| &mut c.shutdown.grace_sec, 0.0, 3600.0),
    ),
    fixed(MARKERS, key("probes", "Markers of other programs and what their arguments mean.", Field::Probes)),
    fixed(
        MARKERS,
        key(
            "discovery.files",
            "Files in which markers are looked for.",
            Field::Texts {
                place: |c| &mut c.discovery.files,
                check: path_glob,
                what: "globs of absolute paths",
            },
        ),
    ),
    fixed(
        MARKERS,
        key(
            "discovery.libraries",
            "Libraries in which markers are looked for.",
            Field::Texts {
                place: |c| &mut c.discovery.libraries,
                check: library,
                what: "file names or absolute paths",
            },
        ),
    ),
    fixed(
        MARKERS,
        key(
            "discovery.exec",
            "Each program that is executed is looked at.",
            Field::Switch(|c| &mut c.discovery.exec),
        ),
    ),
    fixed(
        "it is part of what every marker site was told when it was attached",
        key(
            "discovery.max_string_bytes",
            "Longest string or byte block that is read, in bytes with its NUL; longer ones are cut.",
            count(|c| &mut c.discovery.max_string_bytes, 1, sidecar_common::MAX_STRING as u64),
        ),
    ),
    fixed(
        "the kernel makes the buffer once, when the agent starts",
        key(
            "discovery.ring_bytes",
            "Size of the buffer between kernel and agent.",
            Field::Count {
                place: |c| &mut c.discovery.ring_bytes,
                min: 4096,
                max: 1 << 30,
                power_of_two: true,
            },
        ),
    ),
    fixed(
        "the kernel makes the tables once, when the agent starts",
        key(
            "discovery.max_specs",
            "Most marker sites that are watched at a time.",
            count(|c| &mut c.discovery.max_specs, 64, 65_536),
        ),
    ),
    fixed(
        "the gate is started once, with the agent",
        key(
            "discovery.first_event",
            "With guarantee, a program that starts waits until its probes are on: each, or those that `discovery.files` matches.",
            Field::FirstEvent(|c| &mut c.discovery.first_event),
        ),
    ),
    fixed(
        "the gate is started once, with the agent",
        key(
            "discovery.first_event_deadline",
            "Seconds that a program waits at most.",
            number(|c| &mut c.discovery.first_event_deadline, 0.001, 2.0),
        ),
    ),
    fixed(
        "files are opened once, when the agent starts",
        key("sinks", "Where `sidecar run` writes its events.", Field::Sinks),
    ),
    key("handlers", "What is done about events: programs, HTTP requests, rotated files.", Field::Handlers),
    fixed(
        "the server is started once, with the agent",
        key("http.enabled", "Health and metrics over HTTP.", Field::Switch(|c| &mut c.http.enabled)),
    ),
    fixed(
        "the address is bound once, when the agent starts",
        key("http.listen", "Where the HTTP server listens.", Field::Address(|c| &mut c.http.listen)),
    ),
    fixed(
        "the socket is made once, when the agent starts",
        key(
            "http.socket",
            "Unix socket of the control API, for root alone. Without the default one the agent goes on.",
            Field::Path(|c| &mut c.http.socket),
        ),
    ),
    fixed(
        "the server is started once; the file itself is read again when it changes",
        key(
            "http.web_config",
            "TLS, users and headers of the address, in the format of the Prometheus exporters.",
            Field::Path(|c| &mut c.http.web_config),
        ),
    ),
    fixed(
        "the server is started once, with the agent",
        key(
            "http.max_connections",
            "Connections served at once, by the address and by the socket each.",
            count(|c| &mut c.http.max_connections, 4, 4096),
        ),
    ),
    fixed(
        "the server is started once, with the agent",
        key(
            "http.max_streams",
            "Clients that read the stream of events at a time.",
            count(|c| &mut c.http.max_streams, 1, 256),
        ),
    ),
    fixed(
        "the server is started once; the file itself is read again when it changes",
        key(
            "security.token_file",
            "File with the token that the API asks for over the address.",
            Field::Path(|c| &mut c.security.token_file),
        ),
    ),
    fixed(
        MARKERS,
        key("functions", "Functions that are watched without a marker in them.", Field::Functions),
    ),
    fixed(
        MARKERS,
        key(
            "presets",
            "Ready mappings for known programs.",
            Field::Texts {
                place: |c| &mut c.presets,
                check: preset,
                what: "googletest, jvm, libc, libstdcxx, nextest, python, sidecar",
            },
        ),
    ),
];
