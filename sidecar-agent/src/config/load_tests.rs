//! Tests of loading: sources and their order, and each kind of bad input.

use super::super::{ArgConfig, Sink};
use super::*;

fn from(text: &str) -> Result<Config, ConfigError> {
    from_all(text, &[], &[])
}

fn from_all(text: &str, env: &[(&str, &str)], flags: &[Override]) -> Result<Config, ConfigError> {
    let file = FileText { name: "sidecar.yml".to_owned(), text: text.to_owned() };
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Sources { file: Some(&file), env, flags })
}

fn error(text: &str) -> String {
    from(text).unwrap_err().to_string()
}

#[test]
fn without_sources_everything_is_default() {
    let config = load(&Sources::default()).unwrap();
    assert_eq!(config, Config::default());
    assert!(config.effective().iter().all(|(_, _, source)| *source == Source::Default));
    for text in ["", "# only a comment\n", "---\n", "{}\n", "sidecar:\n", "runtime: {sidecar: }\n"] {
        assert_eq!(from(text).unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn the_users_own_document_loads() {
    let text = "runtime:\n  sidecar:\n    enabled: true\n    sampling:\n      events: 0.1        # Sample 10% of events\n      \
                adaptive: enabled  # Auto-boost on anomalies\n    resources:\n      max_queue_size: 10000\n      \
                max_cpu_percent: 5.0\n      max_memory_mb: 100\n";
    let env = [("SIDECAR_ENABLED", "true"), ("SIDECAR_SAMPLE_EVENTS", "0.2"), ("SIDECAR_CPU_BUDGET", "5.0")];
    let config = from_all(text, &env, &[]).unwrap();
    assert_eq!(config.sampling.events, 0.2);
    assert!(config.sampling.adaptive.enabled);
    assert_eq!((config.resources.max_cpu_percent, config.resources.max_memory_mb), (5.0, 100));
}

#[test]
fn the_section_is_found_and_the_rest_ignored() {
    for text in [
        "other: {enabled: 7}\nruntime:\n  x: [1]\n  sidecar: {sampling: {events: 0.5}}\nsidecar: {bad: 1}\n",
        "other: 1\nruntime: {x: 1}\nsidecar: {sampling: {events: 0.5}}\n",
        "runtime: text\nsidecar: {sampling: {events: 0.5}}\n",
        "sampling: {events: 0.5}\n",
    ] {
        assert_eq!(from(text).unwrap().sampling.events, 0.5, "{text}");
    }
}

#[test]
fn a_misspelt_key_of_a_dedicated_file_is_told_and_a_foreign_file_too() {
    assert_eq!(
        error("samplng: {events: 0.5}\nenabled: true\n"),
        "sidecar.yml:1: samplng: unknown key; did you mean `sampling`?"
    );
    let foreign = error("database: 1\nlogging: 2\nenabled: true\n");
    assert!(foreign.contains("neither a section `runtime.sidecar` nor `sidecar`"), "{foreign}");
    assert!(foreign.ends_with("its keys are: database, logging, enabled"), "{foreign}");
}

#[test]
fn later_sources_win_and_each_value_keeps_its_source() {
    let flags = [Override { flag: "--listen", key: "http.listen", value: "[::1]:1".to_owned() }];
    let text = "sampling:\n  events: 0.3\n  traces: 0.4\nhttp:\n  listen: 127.0.0.1:2\n";
    let config =
        from_all(text, &[("SIDECAR_SAMPLE_TRACES", " 0.6 "), ("SIDECAR_ENABLED", "")], &flags).unwrap();
    let rows = config.effective();
    let row = |key: &str| {
        let (_, value, source) = rows.iter().find(|(name, _, _)| name == key).unwrap();
        format!("{value} ({source})")
    };
    assert_eq!(row("enabled"), "true (default)");
    assert_eq!(row("sampling.events"), "0.3 (sidecar.yml:2)");
    assert_eq!(row("sampling.traces"), "0.6 (environment SIDECAR_SAMPLE_TRACES)");
    assert_eq!(row("http.listen"), "[::1]:1 (flag --listen)");
}

#[test]
fn every_environment_variable_sets_its_key() {
    let values = |key: &str| match key {
        "enabled" => "false",
        "resources.max_queue_size" => "200",
        "resources.max_memory_mb" => "50",
        _ => "0.75",
    };
    for key in KEYS {
        let Some(env) = key.env else { continue };
        let config = from_all("", &[(env, values(key.name))], &[]).unwrap();
        assert_eq!(key.value(&config), values(key.name), "{env}");
        assert_eq!(config.source(key.name), Source::Env(env));
        let bad = from_all("", &[(env, "many")], &[]).unwrap_err().to_string();
        assert!(bad.starts_with(&format!("environment {env}: {}: wants", key.name)), "{bad}");
    }
    assert_eq!(KEYS.iter().filter(|key| key.env.is_some()).count(), 8);
}

#[test]
fn variables_expand_before_values_are_typed() {
    let text = "resources:\n  max_cpu_percent: ${CPU:-5.5}\n  max_queue_size: \"${SIZE}\"\nsampling: {adaptive: \"${A:-disabled}\"}\n";
    let config = from_all(text, &[("SIZE", "500")], &[]).unwrap();
    assert_eq!(config.resources.max_cpu_percent, 5.5);
    assert_eq!(config.resources.max_queue_size, 500);
    assert!(!config.sampling.adaptive.enabled);
    assert_eq!(
        error("resources:\n  max_queue_size: ${SIZE}\n"),
        "sidecar.yml:2: resources.max_queue_size: the environment variable SIZE is not set (or not UTF-8); set it, or \
         write a default as in ${SIZE:-value}"
    );
    assert!(
        error("sinks:\n- {type: jsonl, path: \"${\"}\n")
            .starts_with("sidecar.yml:2: sinks[0].path: wants ${NAME}")
    );
}

#[test]
fn adaptive_is_a_word_a_bool_or_a_mapping() {
    let adaptive = |text: &str| {
        from(&format!("sampling: {{adaptive: {text}}}\n")).map(|config| config.sampling.adaptive)
    };
    assert!(adaptive("enabled").unwrap().enabled);
    assert!(!adaptive("disabled").unwrap().enabled);
    assert!(!adaptive("false").unwrap().enabled);
    let full = adaptive(
        "{enabled: true, boost_factor: 2, boost_duration: 30, anomaly_threshold: 3, anomaly_window: 9}",
    );
    let full = full.unwrap();
    assert_eq!((full.boost_factor, full.boost_duration, full.anomaly_threshold), (2.0, 30.0, 3));
    assert_eq!(
        adaptive("sometimes").unwrap_err().to_string(),
        "sidecar.yml:1: sampling.adaptive: wants true or false (or enabled or disabled), not the text `sometimes`"
    );
    assert!(adaptive("[1]").unwrap_err().to_string().contains("wants a single value, not a list"));
    assert!(adaptive("{boost: 2}").unwrap_err().to_string().contains("did you mean `boost_factor`?"));
}

#[test]
fn unknown_keys_name_file_line_key_and_the_nearest() {
    assert_eq!(
        error("enabled: true\nresources:\n  max_qeue_size: 1000\n"),
        "sidecar.yml:3: resources.max_qeue_size: unknown key; did you mean `max_queue_size`?"
    );
    assert_eq!(
        error("http: {}\nsinks: [{type: jsonl, file: x}]\n"),
        "sidecar.yml:2: sinks[0].file: unknown key; did you mean `type`?"
    );
    assert_eq!(
        error("probes:\n- provider: a\n  marker: b\n  args:\n  - rol: test_id\n"),
        "sidecar.yml:5: probes[0].args[0].rol: unknown key; did you mean `role`?"
    );
}

#[test]
fn values_out_of_range_name_the_range() {
    for (text, end) in [
        ("sampling: {events: 7.0}", "7 is out of range: wants 0 to 1"),
        ("sampling: {mine: -1}", "-1 is out of range: wants 0 to 1"),
        ("sampling: {events: .nan}", "NaN is out of range: wants 0 to 1"),
        ("resources: {max_queue_size: 99}", "99 is out of range: wants 100 to 10000000"),
        ("resources: {max_cpu_percent: 0.05}", "0.05 is out of range: wants 0.1 to 100"),
        ("resources: {max_memory_mb: 9}", "9 is out of range: wants 10 to 1000000"),
        ("discovery: {max_string_bytes: 1025}", "1025 is out of range: wants 1 to 1024"),
        ("discovery: {max_string_bytes: 0}", "0 is out of range: wants 1 to 1024"),
        ("discovery: {ring_bytes: 65537}", "65537 is out of range: wants 4096 to 1073741824, a power of two"),
        ("health_checks: {interval_sec: 0}", "0 is out of range: wants 1 to 86400"),
        ("profiling: {sampling_interval: .inf}", "inf is out of range: wants 0.1 to 3600"),
    ] {
        let message = error(text);
        assert!(message.ends_with(end), "{text}: {message}");
    }
}

#[test]
fn values_of_the_wrong_type_are_named() {
    for (text, end) in [
        ("enabled: perhaps", "wants true or false (or enabled or disabled), not the text `perhaps`"),
        ("enabled:", "enabled: wants true or false (or enabled or disabled), not nothing"),
        ("sampling: {events: \"0.1\"}", "wants a number from 0 to 1, not the text `0.1`"),
        ("sampling: [events]", "sampling: wants a mapping of keys to values, not a list"),
        ("sampling: {mine: {events: 1}}", "sampling.mine: wants a single value, not a mapping"),
        ("resources: {max_queue_size: 1000.5}", "wants a whole number from 100 to 10000000, not 1000.5"),
        ("resources: {max_queue_size: [1000]}", "wants 100 to 10000000, whole, not a list"),
        (
            "http: {listen: localhost}",
            "`localhost` is no address with a port, as in 127.0.0.1:9808 or [::1]:9808",
        ),
        ("sidecar: 7", "the section: wants a mapping of keys to values, not 7"),
        ("- enabled", "the file: wants a mapping of keys to values, not a list or a single value"),
        ("just text", "the file: wants a mapping of keys to values, not a list or a single value"),
        ("probes: {}", "probes: wants a list, not a mapping"),
        ("discovery: {files: /usr/bin/x}", "discovery.files: wants a list, not the text `/usr/bin/x`"),
    ] {
        let message = error(text);
        assert!(message.ends_with(end), "{text}: {message}");
    }
}

#[test]
fn duplicate_keys_name_both_lines() {
    for (text, message) in [
        (
            "enabled: true\nhttp: {}\nenabled: false\n",
            "sidecar.yml:3: enabled: the key stands in line 1 already",
        ),
        (
            "sampling:\n  events: 0.1\n  events: 0.2\n",
            "sidecar.yml:3: sampling.events: the key stands in line 2 already",
        ),
        ("sidecar: {}\nsidecar: {}\n", "sidecar.yml:2: sidecar: the key stands in line 1 already"),
        (
            "runtime:\n  sidecar: {}\n  sidecar: {}\n",
            "sidecar.yml:3: sidecar: the key stands in line 2 already",
        ),
    ] {
        assert_eq!(error(text), message);
    }
}

#[test]
fn what_is_not_yaml_has_line_and_column() {
    let message = error("enabled: true\nsampling: [\n");
    assert!(message.starts_with("sidecar.yml:3:1: not YAML that can be used:"), "{message}");
    let message = error("enabled: !on true\n");
    assert!(message.starts_with("sidecar.yml:1:"), "{message}");
}

#[test]
fn user_signals_follow_the_built_in_ones() {
    let config = from("sampling: {flaky_signals: 0.5, error_logs: 1, events: 1}\n").unwrap();
    assert_eq!(config.sampling.user, [("flaky_signals".to_owned(), 0.5), ("error_logs".to_owned(), 1.0)]);
    let rows = config.effective();
    assert!(rows.iter().any(|(key, value, _)| key == "sampling.flaky_signals" && value == "0.5"));
    let slip = error("sampling: {test_event: 0.5}\n");
    assert!(slip.contains("sampling.test_event: is too like `test_events`"), "{slip}");
    assert!(error("sampling: {Über: 0.5}\n").contains("is no name of a signal"));
}

#[test]
fn there_is_room_for_a_limited_number_of_signals() {
    let sampling = |count: usize| {
        let names: Vec<_> = (0..count).map(|i| format!("mine_number_{i}: 0.5")).collect();
        from(&format!("sampling: {{{}}}\n", names.join(", ")))
    };
    assert_eq!(sampling(58).unwrap().signals().len(), MAX_SIGNALS);
    assert!(sampling(59).unwrap_err().to_string().contains("one signal too many: 64 are possible"));
}

#[test]
fn probes_name_signals_that_have_a_rate() {
    let probe = "probes: [{provider: a, marker: b, signal: flaky}]\n";
    let message = error(&format!("sampling: {{flaki: 1}}\n{probe}"));
    assert!(message.starts_with("sidecar.yml:2: probes[0].signal: no signal `flaky`"), "{message}");
    assert!(message.ends_with("did you mean `flaki`?"), "{message}");
    assert!(from(&format!("sampling: {{flaky: 1}}\n{probe}")).is_ok());
}

#[test]
fn probes_and_sinks_are_read_in_both_forms() {
    let text = "probes:\n- provider: db\n  marker: query-done\n  event: test_end\n  args:\n  - test_id\n  - \"message: string\"\n  \
                - {role: data, type: bytes, length: 3}\n  - {name: n, signed: true}\n  status: {0: passed, 1: failed}\nsinks: []\n";
    let config = from(text).unwrap();
    let probe = &config.probes[0];
    assert_eq!(
        (probe.provider.as_str(), probe.marker.as_str(), probe.at.to_string().as_str()),
        ("db", "query-done", "sidecar.yml:2")
    );
    assert_eq!(probe.args[0], ArgConfig { role: Some("test_id".to_owned()), ..ArgConfig::default() });
    assert_eq!(probe.args[1].kind.as_deref(), Some("string"));
    assert_eq!((probe.args[2].length, probe.args[3].signed), (Some(3), Some(true)));
    assert_eq!(probe.status, [("0".to_owned(), "passed".to_owned()), ("1".to_owned(), "failed".to_owned())]);
    assert_eq!(config.sinks, []);
    assert_eq!(
        from("sinks: [{type: jsonl, path: out.jsonl}]\n").unwrap().sinks,
        [Sink::Jsonl { path: "out.jsonl".to_owned() }]
    );
    for (text, end) in [
        ("probes: [{marker: b}]", "probes[0]: the key `provider` is missing"),
        ("probes: [{provider: b}]", "probes[0]: the key `marker` is missing"),
        (
            "probes: [7]",
            "probes[0]: wants a mapping with keys of provider, marker, event, event_type, signal, args, status, not 7",
        ),
        (
            "probes: [{provider: b, marker: c, status: passed}]",
            "probes[0].status: wants a mapping of values to statuses, not the text `passed`",
        ),
        (
            "probes: [{provider: b, marker: c, args: [{length: 12}]}]",
            "probes[0].args[0].length: 12 is out of range: wants 0 to 11",
        ),
        ("sinks: [{path: x}]", "sinks[0]: the key `type` is missing"),
        ("sinks: [{type: kafka}]", "sinks[0].type: `kafka` is no type of sink; there is jsonl"),
        (
            "sinks: [{type: jsonl, path: \"\"}]",
            "sinks[0].path: `` is no path of a file (and - is standard output)",
        ),
        (
            "discovery: {files: [target/*]}",
            "discovery.files[0]: `target/*` is not absolute: begin with / or **",
        ),
        (
            "discovery: {libraries: [lib/x.so]}",
            "discovery.libraries[0]: `lib/x.so` is neither a file name nor an absolute path",
        ),
    ] {
        let message = error(text);
        assert!(message.ends_with(end), "{text}: {message}");
    }
    assert!(error("discovery: {files: [\"/a[\"]}").contains("is no glob"));
}

#[test]
fn a_flag_must_name_a_key() {
    let flag = |key| [Override { flag: "--x", key, value: "1".to_owned() }];
    let message = from_all("", &[], &flag("http.listn")).unwrap_err().to_string();
    assert_eq!(message, "flag --x: http.listn: unknown key; did you mean `http.listen`?");
    let message = from_all("", &[], &flag("probes")).unwrap_err().to_string();
    assert!(message.starts_with("flag --x: probes: wants a list"), "{message}");
}

#[test]
fn no_text_makes_the_reader_panic() {
    proptest::proptest!(|(text in "[ -~\n\u{e9}]{0,200}", yaml in "(enabled|sampling|probes|sinks|[a-z&*]{1,3}|[:\\-\\[\\]{},'\"| \n]{1,3}){0,40}")| {
        let _ = from(&text);
        let _ = from(&yaml);
    });
}
