//! What `sidecar check` answers, on real files.

use super::*;
use clap::Parser;
use serde_json::{Value, json};

use crate::cli::{Cli, Verb};

fn args(args: &[&str]) -> CheckArgs {
    match Cli::try_parse_from([&["sidecar", "check"], args].concat()).unwrap().verb {
        Verb::Check(args) => args,
        verb => panic!("{verb:?}"),
    }
}

/// Status, standard output, standard error.
fn answers(given: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = check(&args(given), &mut out, &mut err).unwrap();
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// A file with this text, and its name.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sidecar.yml");
    std::fs::write(&path, text).unwrap();
    let name = path.to_str().unwrap().to_owned();
    (dir, name)
}

#[test]
fn every_value_stands_with_its_source() {
    let (_dir, name) = file("sampling: {events: 0.5, mine: 1}\nprofiling: {enabled: true}\n");
    let (status, out, err) = answers(&["--config", &name, "--listen", "127.0.0.1:1"]);
    assert_eq!(status, 0);
    let row = |key: &str| {
        let line = out.lines().find(|line| line.split(' ').next() == Some(key)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("sampling.events"), ["0.5", &format!("{name}:1")]);
    assert_eq!(row("sampling.mine"), ["1", &format!("{name}:1")]);
    assert_eq!(row("http.listen"), ["127.0.0.1:1", "flag", "--listen"]);
    assert_eq!(row("discovery.ring_bytes"), ["2097152", "default"]);
    let last = format!(
        "{name} can be used: 4 of {} values are set, the others are defaults.",
        config::KEYS.len() + 1
    );
    assert_eq!(out.lines().last().unwrap(), last);
    assert_eq!(err, "");
}

#[test]
fn without_a_file_the_defaults_are_shown() {
    let (status, out, _) = answers(&["--format", "json"]);
    assert_eq!(status, 0);
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&answer["valid"], &answer["file"]), (&json!(true), &Value::Null));
    let keys = answer["values"].as_array().unwrap().len();
    assert_eq!(keys, config::KEYS.len());
}

#[test]
fn json_has_values_with_their_types_and_the_parts_of_their_source() {
    let (_dir, name) = file("\nsinks: [{type: jsonl, path: x}]\nsampling:\n  mine: 0.5\n");
    let (_, out, _) = answers(&["--config", &name, "--format", "json"]);
    let answer: Value = serde_json::from_str(&out).unwrap();
    let row = |key: &str| {
        answer["values"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone()
    };
    assert_eq!(
        row("sinks"),
        json!({"key": "sinks", "value": [{"type": "jsonl", "path": "x"}], "source": "file", "file": name, "line": 2,
               "live": false})
    );
    assert_eq!(row("sampling.mine")["value"], 0.5);
    assert_eq!(row("sampling.mine")["line"], 4);
    assert_eq!(row("sampling.events")["source"], "default");
}

#[test]
fn what_is_wrong_is_told_with_file_line_key_and_reason_and_status_78() {
    let (_dir, name) = file("enabled: true\nqueue:\n  max_size: 5000\n");
    for format in ["text", "json"] {
        let (status, out, err) = answers(&["--config", &name, "--format", format]);
        assert_eq!(status, 78);
        assert_eq!(err, format!("sidecar: {name}:3: queue.max_size: renamed: resources.max_queue_size\n"));
        if format == "text" {
            assert_eq!(out, "");
            continue;
        }
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["valid"], false);
        let error = &answer["error"];
        assert_eq!((&error["file"], &error["line"]), (&json!(name), &json!(3)));
        assert_eq!(error["key"], "queue.max_size");
        assert_eq!(error["reason"], "renamed: resources.max_queue_size");
    }
}

#[test]
fn probes_are_checked_to_their_last_word() {
    let (_dir, name) = file("probes:\n- provider: a\n  marker: b\n  args: [statsu]\n");
    let (status, out, err) = answers(&["--config", &name, "--format", "json"]);
    assert_eq!(status, 78);
    assert!(
        err.contains(":2: probes[0].args[0].role: unknown word `statsu`; did you mean `status`?"),
        "{err}"
    );
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["error"]["key"], "probes[0].args[0].role");
}

#[test]
fn every_kind_of_unusable_file_has_a_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("latin"), b"\xe9").unwrap();
    std::fs::write(path("long"), " ".repeat((config::MAX_FILE_BYTES + 1) as usize)).unwrap();
    std::fs::write(path("yaml"), "a: [\n").unwrap();
    std::fs::write(path("foreign"), "database: {}\n").unwrap();
    for (name, reason) in [
        ("none", "No such file"),
        ("latin", "not UTF-8"),
        ("long", "longer than"),
        ("yaml", "did not find expected"),
        ("foreign", "no section"),
    ] {
        let (status, out, err) = answers(&["--config", &path(name), "--format", "json"]);
        assert_eq!(status, 78, "{err}");
        let error = &serde_json::from_str::<Value>(&out).unwrap()["error"];
        assert_eq!(error["file"], path(name));
        assert!(error["reason"].as_str().unwrap().contains(reason), "{error}");
        assert!(err.contains(&path(name)), "{err}");
        let line = if name == "yaml" { json!(2) } else { Value::Null };
        assert_eq!((&error["line"], error["column"].is_u64()), (&line, name == "yaml"), "{error}");
    }
}

#[test]
fn values_can_not_write_lines_of_their_own() {
    let (_dir, name) = file("sinks: [{type: jsonl, path: \"a\\n\\e[31mx\"}]\n");
    let (_, out, _) = answers(&["--config", &name]);
    assert!(out.contains("[jsonl a\u{fffd}\u{fffd}[31mx]"), "{out}");
}

#[test]
fn a_reader_that_has_gone_is_an_error_and_no_panic() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(check(&args(&[]), &mut Gone, &mut io::sink()).is_err());
    assert!(print(&ConfigArgs { what: Printed::Default }, &mut Gone).is_err());
}

#[test]
fn the_schema_knows_the_words_that_probes_know() {
    let schema = config::schema();
    let probe = &schema["$defs"]["section"]["properties"]["probes"]["items"];
    let args = &probe["properties"]["args"]["items"]["anyOf"][1]["properties"];
    let words = |schema: &Value| schema["anyOf"][0]["enum"].as_array().unwrap().clone();
    let fault = |text: &str| {
        let (_dir, name) = file(text);
        usable(Some(Path::new(&name)), &[]).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let unknown = |text: &str| fault(text).contains("unknown word");
    for word in words(&args["role"]) {
        assert!(!unknown(&format!("probes: [{{provider: a, marker: b, args: [{word}]}}]\n")), "{word}");
    }
    for (key, word) in ["type", "unit"]
        .into_iter()
        .flat_map(|key| words(&args[key]).into_iter().map(move |word| (key, word)))
    {
        let arg = format!("{{role: duration, {key}: {word}}}");
        assert!(!unknown(&format!("probes: [{{provider: a, marker: b, args: [{arg}]}}]\n")), "{word}");
    }
    for word in words(&probe["properties"]["event"]) {
        assert!(!unknown(&format!("probes: [{{provider: a, marker: b, event: {word}}}]\n")), "{word}");
    }
    let statuses = &probe["properties"]["status"]["additionalProperties"];
    for word in words(statuses) {
        let text = format!("probes: [{{provider: a, marker: b, args: [status], status: {{1: {word}}}}}]\n");
        assert!(!unknown(&text), "{word}");
    }
    // And none that it does not know: the refusal lists them all.
    let all = fault("probes: [{provider: a, marker: b, args: [zzz]}]\n");
    let all = all.rsplit_once("Known: ").unwrap().1.split(", ").count();
    assert_eq!(all, words(&args["role"]).len());
}
