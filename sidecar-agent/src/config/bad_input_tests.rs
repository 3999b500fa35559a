//! Input that is wrong, hostile or odd: each ends in an error that names its place, soon, or is read as meant.

use super::*;
use crate::config::changes;

fn from(text: &str) -> Result<Config, ConfigError> {
    from_env(text, &[])
}

fn from_env(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = FileText { name: "f".to_owned(), text: text.to_owned() };
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { file: Some(&file), env, flags: &[] })
}

fn error(text: &str) -> String {
    from(text).unwrap_err().to_string()
}

#[test]
fn rates_that_are_none() {
    for (rate, end) in [
        ("-1", "-1 is out of range: wants 0 to 1"),
        ("-0.0001", "-0.0001 is out of range: wants 0 to 1"),
        ("7", "7 is out of range: wants 0 to 1"),
        (".nan", "NaN is out of range: wants 0 to 1"),
        (".inf", "inf is out of range: wants 0 to 1"),
        ("-.inf", "-inf is out of range: wants 0 to 1"),
        ("1.0000000001", "1.0000000001 is out of range: wants 0 to 1"),
        ("18446744073709551616", "18446744073709551616 is out of range: wants 0 to 1"),
        ("0,5", "wants a number from 0 to 1, not the text `0,5`"),
        ("50%", "wants a number from 0 to 1, not the text `50%`"),
        ("nan", "wants a number from 0 to 1, not the text `nan`"),
        ("~", "wants a number from 0 to 1, not nothing"),
        ("true", "wants a number from 0 to 1, not true"),
    ] {
        for name in ["events", "mine"] {
            let text = error(&format!("sampling:\n  {name}: {rate}\n"));
            assert!(
                text.starts_with(&format!("f:2: sampling.{name}: ")) && text.ends_with(end),
                "{rate}: {text}"
            );
        }
        if rate != "~" && !rate.starts_with("184") {
            let env = from_env("", &[("SIDECAR_SAMPLE_EVENTS", rate)]).unwrap_err().to_string();
            let place = "environment SIDECAR_SAMPLE_EVENTS: sampling.events: ";
            assert!(env.starts_with(place) && env.ends_with(end), "{rate}: {env}");
        }
    }
    // Too large for a float, however it is written.
    for rate in [".1e400", "1e400", "-1e400"] {
        let text = error(&format!("sampling: {{events: {rate}}}\n"));
        assert!(text.starts_with("f:1: sampling.events: "), "{text}");
        assert!(from_env("", &[("SIDECAR_SAMPLE_EVENTS", rate)]).is_err());
    }
}

#[test]
fn keys_of_the_other_sidecar_name_the_right_key() {
    for (text, message) in [
        ("queue: {max_size: 5000}", "queue.max_size: renamed: resources.max_queue_size"),
        ("queue:\n  drop_on_full: true", "queue.drop_on_full: renamed: resources.drop_on_full"),
        ("sampling: {rates: {events: 0.1}}", "sampling.rates.events: renamed: sampling.events"),
        (
            "sampling: {signals: {flaky_signals: 0.5}}",
            "sampling.signals.flaky_signals: renamed: sampling.flaky_signals",
        ),
        ("sampling: {rates: {}}", "sampling.rates: is no key here: rates stand under `sampling` itself"),
        (
            "adaptive: {boost_duration_seconds: 60}",
            "adaptive.boost_duration_seconds: renamed: sampling.adaptive.boost_duration",
        ),
        (
            "adaptive: {anomaly_threshold: 5}",
            "adaptive.anomaly_threshold: renamed: sampling.adaptive.anomaly_threshold",
        ),
        ("adaptive: enabled", "adaptive: renamed: sampling.adaptive"),
        (
            "sampling: {adaptive: {boost_duration_seconds: 60}}",
            "sampling.adaptive.boost_duration_seconds: renamed: sampling.adaptive.boost_duration",
        ),
        (
            "resources: {on_cpu_exceeded: disable_profiling}",
            "resources.on_cpu_exceeded: is no key here: over its budget the agent sheds load in fixed steps, rates first",
        ),
        (
            "profiling: {deep_duration_sec: 30}",
            "profiling.deep_duration_sec: is no key here: deep profiling lasts for as long as \
             `profiling.deep_profiling` is true",
        ),
        ("health: {port: 9090}", "health.port: renamed: http.listen, as ADDRESS:PORT"),
        (
            "metrics: {labels: {environment: dev}}",
            "metrics.labels.environment: is no key here: labels of a whole agent are set where it is scraped, as by \
             Prometheus' `labels`",
        ),
    ] {
        let line = 1 + text.matches('\n').count();
        assert_eq!(error(text), format!("f:{line}: {message}"));
        let inside = format!(
            "runtime: {{sidecar: {{{}}}}}",
            text.replace(":\n  ", ": {") + if line > 1 { "}" } else { "" }
        );
        assert_eq!(error(&inside), format!("f:1: {message}"), "{inside}");
    }
    // A key at the wrong place, and one that is like nothing.
    assert_eq!(
        error("enabled: true\nmax_queue_size: 5"),
        "f:2: max_queue_size: unknown key; did you mean `resources.max_queue_size`?"
    );
    assert!(
        error("enabled: true\nzzzzzzzzzzzz: 5").starts_with("f:2: zzzzzzzzzzzz: unknown key; did you mean `")
    );
}

#[test]
fn the_other_sidecars_whole_file_is_told_its_first_key() {
    let text = "sidecar:\n  enabled: ${SIDECAR_ENABLED:-true}\n  queue:\n    max_size: ${SIDECAR_QUEUE_SIZE:-5000}\n    drop_on_full: true\n  \
                sampling:\n    rates:\n      events: 0.1\n      logs: 0.05\n  resources:\n    max_cpu_percent: ${SIDECAR_MAX_CPU:-5.0}\n    \
                on_cpu_exceeded: disable_profiling\n  health:\n    bind: 0.0.0.0\n    port: 9090\n";
    assert_eq!(error(text), "f:4: queue.max_size: renamed: resources.max_queue_size");
    let bare = text.replace("sidecar:\n", "").replace("\n  ", "\n").replacen("  ", "", 1);
    assert_eq!(error(&bare), "f:3: queue.max_size: renamed: resources.max_queue_size");
}

#[test]
fn merge_keys_are_refused_wherever_they_stand() {
    for (text, key) in [
        ("base: &b {enabled: true}\nsidecar:\n  <<: *b\n", "<<"),
        ("base: &b {events: 1}\nsidecar:\n  sampling: {<<: *b}\n", "sampling.<<"),
        ("base: &b {type: jsonl}\nsidecar:\n  sinks: [{<<: *b}]\n", "sinks[0].<<"),
    ] {
        let message = format!(
            "f:3: {key}: merge keys are not read; write the keys out, or give a whole value an alias"
        );
        assert_eq!(error(text), message);
    }
    // Outside of the section they are nobody's business here; aliases of whole values are read.
    assert!(from("base: &b {x: 1}\nother: {<<: *b}\nsidecar: {enabled: true}\n").is_ok());
    assert_eq!(from("base: &b {events: 1}\nsidecar:\n  sampling: *b\n").unwrap().sampling.events, 1.0);
}

#[test]
fn odd_but_valid_files_are_read_as_meant() {
    let plain = from("sampling:\n  events: 0.5\nhttp:\n  enabled: false\n").unwrap();
    for text in [
        "\u{feff}sampling:\n  events: 0.5\nhttp:\n  enabled: false\n",
        "sampling:\r\n  events: 0.5\r\nhttp:\r\n  enabled: false\r\n",
        "---\nsampling: {events: 0.5}\nhttp: {enabled: false}\n...\n",
        "{\"sampling\": {\"events\": 0.5}, \"http\": {\"enabled\": false}}",
        "%YAML 1.1\n---\nsampling: {\"events\": 5e-1}\nhttp: {enabled: off}",
    ] {
        assert_eq!(changes(&plain, &from(text).unwrap()), [], "{text:?}");
    }
    assert_eq!(error("sampling:\r\n  evnts: 0.5\r\n").split(": ").next(), Some("f:2"));
}

#[test]
fn several_documents_tabs_and_tags_are_refused_with_their_line() {
    let documents = error("enabled: true\n---\nenabled: false\n");
    assert!(documents.contains("more than one document"), "{documents}");
    let tab = error("sampling:\n\tevents: 0.5\n");
    assert!(tab.starts_with("f:2:") && tab.contains("tab"), "{tab}");
    assert!(error("enabled: !python true\n").starts_with("f:1:"));
    let nul = error("enabled: true\n\0sampling: {events: 7}\n");
    assert_eq!(nul, "f:2:1: not YAML that can be used: a control character");
    assert!(error("enabled: true\n\u{1}\n").starts_with("f:2:"), "another control character");
}

/// Files that would take a reader hours, or all memory, if its time grew with the square or the power of them.
#[test]
fn hostile_files_come_to_an_end() {
    let most = usize::try_from(crate::config::MAX_FILE_BYTES).unwrap();
    let lines = |line: &str| line.repeat(most / line.len());
    for text in [
        format!("sidecar: {}{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("other: {}{}\nsidecar: {{bad: 1}}\n", "{a: ".repeat(10_000), "}".repeat(10_000)),
        format!("sidecar:\n  {}x", "- ".repeat(10_000)),
        "[".repeat(most),
        "{a: ".repeat(most / 4),
        lines("[ # ]\n"),
        "- ".repeat(most / 2),
        "? ".repeat(most / 2),
        lines("*a "),
        format!("a: \"{}", "x".repeat(most - 10)),
        lines("x: {<<: *a}\n"),
        format!("enabled: true\n{}", lines("# x\n- y\n")),
        format!("sidecar: {{sampling: {{{}}}}}", lines("a: 1, ")),
    ] {
        let error = from(&text).map(|_| ()).unwrap_err().to_string();
        assert!(error.len() < 4_000, "{} bytes", error.len());
    }
}

#[test]
fn a_whole_crossbridge_file_keeps_its_rest_to_itself() {
    let text = "crossbridge:\n  mode: observer\n  hooks: {enabled: maybe}\ndatabase: &db\n  host: ${DB_HOST}\n  port: ${DB_PORT:-5432}\n\
                runtime:\n  logging:\n    level: ${LEVEL}\n  profiling: {enabled: 7}\n  sidecar:\n    enabled: true\n    sampling:\n      events: 0.1\n      \
                adaptive: enabled\n    resources: {max_queue_size: 10000, max_cpu_percent: 5.0, max_memory_mb: 100}\n  database: *db\n\
                other: !tag [1, 2]\nsampling: {events: 9}\n";
    let config = from(text).unwrap();
    assert_eq!(changes(&config, &Config::default()), []);
    assert_eq!(config.source("sampling.events").to_string(), "f:14");
    assert!(
        error(&text.replace("      events: 0.1", "      evnts: 0.1"))
            .starts_with("f:14: sampling.evnts: is too like `events`")
    );
}

#[test]
fn references_that_do_not_work_out() {
    let env = [("NAME", "0.25"), ("INNER", "${NAME}"), ("EMPTY", ""), ("LIST", "[1, 2]")];
    let events = |value: &str| from_env(&format!("sampling:\n  events: \"{value}\"\n"), &env);
    assert_eq!(events("${NAME}").unwrap().sampling.events, 0.25);
    assert_eq!(events("${EMPTY:-0.5}").unwrap().sampling.events, 0.5);
    for (value, message) in [
        ("${INNER}", "wants a number from 0 to 1, not the text `${NAME}`"),
        ("${NONE:-${NAME}}", "a default can't hold another ${...}"),
        ("${LIST}", "wants a number from 0 to 1, not the text `[1, 2]`"),
        ("${EMPTY}", "wants a number from 0 to 1, not nothing"),
        ("${NONE}", "the environment variable NONE is not set"),
        ("${NAME", "wants ${NAME} or ${NAME:-default}"),
        ("${}", "wants ${NAME} or ${NAME:-default}"),
        ("${NAME-x}", "wants ${NAME} or ${NAME:-default}"),
        ("${NAME:?x}", "wants ${NAME} or ${NAME:-default}"),
        ("$NAME", "not the text `$NAME`"),
        ("${NAME}${NAME}", "not the text `0.250.25`"),
        ("${NONE:-7}", "7 is out of range"),
    ] {
        let text = events(value).unwrap_err().to_string();
        assert!(text.starts_with("f:2: sampling.events: ") && text.contains(message), "{value}: {text}");
    }
    // A key is not expanded, and what a variable holds can't become a key.
    assert!(from_env("${KEY}: 1\nenabled: true\n", &[("KEY", "enabled")]).is_err());
}

#[test]
fn names_from_the_file_can_not_write_lines_of_their_own() {
    for text in [
        "enabled: true\n\"a\\nsidecar: all is well\": 1\n",
        "sampling: {\"\\e[2J\": 1}\n",
        "sinks: [{type: \"\\r\\nx\"}]\n",
        "probes: [{provider: a, marker: b, signal: \"x\\ny\"}]\n",
        "http: {listen: \"\\e]0;x\\a\"}\n",
        "enabled: \"${A\\nB}\"\n",
    ] {
        let error = error(text);
        assert!(!error.chars().any(char::is_control), "{error:?}");
    }
}
