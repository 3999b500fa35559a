//! `sidecar check`, `sidecar config` and the exit status of `sidecar run`, by the built program.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output};

fn sidecar(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidecar"));
    command.args(args).env_clear();
    command
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn the_printed_example_is_checked_and_found_right() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sidecar.yml");
    let (code, example, said) = told(&sidecar(&["config", "default"]).output().unwrap());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    std::fs::write(&path, example).unwrap();
    let (code, out, said) = told(&sidecar(&["check", "--config", &name(&path)]).output().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert!(out.contains(&format!("{} can be used", name(&path))), "{out}");
    let (code, schema, _) = told(&sidecar(&["config", "schema"]).output().unwrap());
    assert_eq!(code, Some(0));
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn check_and_run_end_with_78_and_say_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sidecar.yml");
    let file = &name(&path);
    for (text, reason) in [
        ("sampling: {events: 7}\n", ":1: sampling.events: 7 is out of range: wants 0 to 1"),
        (
            "enabled: true\nresources: {max_qeue_size: 5}\n",
            ":2: resources.max_qeue_size: unknown key; did you mean `max_queue_size`?",
        ),
        (
            "probes: [{provider: a, marker: b, args: [statsu]}]\n",
            ":1: probes[0].args[0].role: unknown word `statsu`",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        for verb in ["check", "run"] {
            let (code, out, said) =
                told(&sidecar(&[verb, "--config", file, "--listen", "127.0.0.1:0"]).output().unwrap());
            assert_eq!((code, out.as_str()), (Some(78), ""), "{verb}: {said}");
            assert!(said.contains(&format!("sidecar: {file}{reason}")), "{verb}: {said}");
        }
    }
}

/// Values, texts and files that are none, each told with its place, and with the same words by both verbs.
#[test]
fn files_that_are_none_end_it_with_78_and_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sidecar.yml");
    let file = name(&path);
    let rate = |rate: &str| format!("sampling:\n  events: {rate}\n");
    let mut bomb = "probes:\n- &l0 [x]\n".to_owned();
    for level in 1..=9 {
        let aliases = vec![format!("*l{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("- &l{level} [{aliases}]\n"));
    }
    let text = |text: &str| std::fs::write(&path, text).unwrap();
    let cases: [(&dyn Fn(), String); 10] = [
        (&|| text(&rate("-1")), format!("{file}:2: sampling.events: -1 is out of range: wants 0 to 1")),
        (&|| text(&rate(".nan")), format!("{file}:2: sampling.events: NaN is out of range: wants 0 to 1")),
        (
            &|| text(&rate("${NOTHING}")),
            format!("{file}:2: sampling.events: the environment variable NOTHING is not set"),
        ),
        (
            &|| text(&rate("${RATE}")),
            format!("{file}:2: sampling.events: wants a number from 0 to 1, not the text `many`"),
        ),
        (
            &|| text("sampling:\n\tevents: 1\n"),
            format!("{file}:2:1: not YAML that can be used: a tab where only spaces may indent"),
        ),
        (
            &|| text(&bomb),
            format!("{file}: not YAML that can be used: its aliases stand for too many values"),
        ),
        (
            &|| std::fs::File::create(&path).unwrap().set_len(100 << 20).unwrap(),
            format!("the configuration {file} is longer than "),
        ),
        (&|| std::fs::write(&path, b"\xe9").unwrap(), format!("the configuration {file} is not UTF-8")),
        (
            &|| std::fs::remove_file(&path).unwrap(),
            format!("cannot read the configuration {file}: No such file"),
        ),
        (&|| std::fs::create_dir(&path).unwrap(), format!("the configuration {file} is no regular file")),
    ];
    for (prepare, reason) in cases {
        prepare();
        for verb in ["check", "run"] {
            let mut command = sidecar(&[verb, "--config", &file, "--listen", "127.0.0.1:0"]);
            let (code, out, said) = told(&command.env("RATE", "many").output().unwrap());
            assert_eq!((code, out.as_str()), (Some(78), ""), "{verb}: {said}");
            assert!(said.contains(&format!("sidecar: {reason}")), "{verb} wants `{reason}`: {said}");
        }
    }
}

#[test]
fn variables_that_can_not_be_used_end_it_too() {
    for (value, reason) in [
        (b"many".as_slice(), "wants a number from 0.1 to 100, not the text `many`"),
        (b"5\xff", "its value is not UTF-8"),
        (b"0", "0 is out of range: wants 0.1 to 100"),
    ] {
        for verb in ["check", "run"] {
            let mut command = sidecar(&[verb]);
            command.env("SIDECAR_CPU_BUDGET", OsString::from_vec(value.to_vec()));
            let (code, _, said) = told(&command.output().unwrap());
            assert_eq!(code, Some(78), "{verb}: {said}");
            let place = "environment SIDECAR_CPU_BUDGET: resources.max_cpu_percent: ";
            assert!(said.contains(&format!("{place}{reason}")), "{verb}: {said}");
        }
    }
    let (code, _, said) = told(&sidecar(&["check"]).env("SIDECAR_CPU_BUGET", "5").output().unwrap());
    assert_eq!(code, Some(0));
    assert!(said.contains("SIDECAR_CPU_BUGET sets nothing; did you mean SIDECAR_CPU_BUDGET?"), "{said}");
}

#[test]
fn an_answer_that_nobody_can_read_is_a_failure_and_no_panic() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = sidecar(&["check"]).stdout(full).output().unwrap();
    let (code, _, said) = told(&output);
    assert_eq!(code, Some(1));
    assert!(said.contains("No space left") && !said.contains("panicked"), "{said}");
}
