//! What the verbs say of right, wrong and hostile files.

use std::path::PathBuf;

use crate::check::usable;
use crate::elf::function_testing::Image;
use crate::elf::testing::{Build, BuildNote};
use crate::mapping;

use super::*;

/// A file of this name with these bytes, and its folder.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn app() -> Build {
    let notes = [
        BuildNote::new("app:step", "8@%rdi -4@%esi", 0).with_semaphore(0),
        BuildNote::new("app:step", "8@%rax -4@%ebx", 16).with_semaphore(0),
        BuildNote::new("app:step", "8@%rdi -4@%esi", 32).with_semaphore(0),
        BuildNote::new("nextest:run-start", "8@%rdi 8@%rsi", 48),
        BuildNote::new("app:odd", "8@%xmm0", 64),
        BuildNote::new("app:outside", "", 1 << 30),
    ];
    let mut text = vec![0x90; 256];
    text[16..20].copy_from_slice(&[0xf3, 0x0f, 0x1e, 0xfa]);
    text[64..69].copy_from_slice(&[0x0f, 0x1f, 0x44, 0, 0]);
    Build { text, build_id: Some(vec![0xab, 0xcd]), ..Build::with_notes(notes) }
}

fn inspected(path: &Path, functions: &[&str], json: bool) -> (u8, String, String) {
    let functions = functions.iter().map(|&text| text.to_owned()).collect();
    let args = InspectArgs { target: path.to_owned(), functions, json };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = inspect(&args, &mut out, &mut err).unwrap();
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn suggested(path: &Path) -> (u8, String, String) {
    suggested_with(path, &[])
}

fn suggested_with(path: &Path, functions: &[&str]) -> (u8, String, String) {
    let functions = functions.iter().map(|&text| text.to_owned()).collect();
    let args = SuggestArgs { file: path.to_owned(), functions };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = suggest(&args, &mut out, &mut err).unwrap();
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// Whether `sidecar check` accepts a configuration, and the markers that it maps.
fn markers_of(config: &str) -> Vec<String> {
    let (_dir, path) = file("sidecar.yml", config.as_bytes());
    let config = usable(Some(&path), &[]).unwrap_or_else(|error| panic!("{error}\n{config}"));
    let known = mapping::builtin();
    let mapped = mapping::all(&config.probes, &config.presets).unwrap().into_iter();
    let own =
        mapped.filter(|one| !known.iter().any(|of| of.provider == one.provider && of.marker == one.marker));
    own.map(|one| format!("{}:{}/{}", one.provider, one.marker, one.args.len())).collect()
}

#[test]
fn markers_are_told_with_arguments_prices_and_what_can_not_be_had() {
    let (_dir, path) = file("app", &app().bytes());
    let (code, text, err) = inspected(&path, &[], false);
    let expected = format!(
        "\
{}: x86-64, build id abcd
3 markers at 5 sites
  app:odd  1 site; needs a word in `probes:`, see `sidecar probes suggest`
    8@%xmm0  refused: a 5-byte nop: no probe is put there where the kernel rewrites it (Linux 6.18)
      arg0 can't be read: REASON
  app:step  3 sites, semaphore; needs a word in `probes:`, see `sidecar probes suggest`
    8@%rdi -4@%esi  about 1 us a hit
    8@%rax -4@%ebx  about 12 us a hit: the kernel single-steps
  nextest:run-start  1 site; known: json, run_id (signal test_events)
    8@%rdi 8@%rsi  about 1 us a hit
markers that can't be probed: 1
    app:outside at 0x40101000: the address is in no executable part of the file
",
        path.display()
    );
    let reason = text.split_once("can't be read: ").unwrap().1.lines().next().unwrap();
    assert_eq!((code, err.as_str(), text.as_str()), (0, "", expected.replace("REASON", reason).as_str()));
}

#[test]
fn the_answer_as_json_has_every_site() {
    let (_dir, path) = file("app", &app().bytes());
    let (code, text, _) = inspected(&path, &["no::such"], true);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let file = &json["files"][0];
    assert_eq!((code, &file["build_id"], &json["process"]), (0, &"abcd".into(), &serde_json::Value::Null));
    let step = &file["markers"][1];
    let sites = step["sites"].as_array().unwrap();
    assert_eq!((sites.len(), &step["known"]), (3, &serde_json::Value::Null));
    assert_eq!((&sites[0]["offset"], &sites[0]["cost"]), (&0x1000.into(), &"emulated".into()));
    assert_eq!(sites[1]["hit_nanoseconds"], 12_000);
    assert!(file["markers"][0]["sites"][0]["refused"].as_str().unwrap().contains("5-byte nop"));
    assert_eq!(file["functions"][0]["pattern"], "no::such");
    assert_eq!(file["functions"][0]["found"].as_array().unwrap().len(), 0);
}

/// A program with three functions, of which the last can't be probed.
fn program() -> (tempfile::TempDir, PathBuf) {
    let functions = [("_ZN3app4stepEi", 0, 16), ("_ZN3app4stopEv", 16, 16), ("_ZN3app5emptyEv", 32, 0)];
    let text = [&[0x55; 16][..], &[0x31, 0xc0], &[0xc3; 30]].concat();
    file("program", &Image::with(&functions).text(&text).bytes())
}

#[test]
fn functions_are_told_with_prices_and_a_pattern_that_is_wrong_is_usage() {
    let (_dir, path) = program();
    let (code, text, err) = inspected(&path, &["app::*"], false);
    let expected = "\
no markers
functions app::*: 2 can be probed
  app::step(int)  +0x1000  about 1 us a hit
  app::stop()  +0x1010  about 12 us a hit: the kernel single-steps
  can't be probed: 1
    app::empty(): its symbol has no size
returns can be probed too (`on: entry_and_return`)
";
    assert_eq!((code, err.as_str(), text.split_once('\n').unwrap().1), (0, "", expected));
    for pattern in ["/(/", "", "a[*"] {
        let (code, out, err) = inspected(&path, &[pattern], false);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1));
        assert!(err.starts_with(&format!("sidecar: --functions {pattern}: ")), "{err}");
    }
}

#[test]
fn what_a_file_says_can_not_reach_the_terminal_or_the_configuration() {
    let evil = BuildNote::new("app:x\u{1b}[2J\nprobes: evil", "8@%rdi\u{1b}[31m", 0);
    let dollar = BuildNote::new("app:${HOME}", "8@%rdi", 1);
    let quote = BuildNote::new("app:\"'#:{}", "8@%rdi", 2);
    let (_dir, path) = file("app", &Build::with_notes([evil, dollar, quote]).bytes());
    for text in [inspected(&path, &[], false).1, suggested(&path).1] {
        assert!(
            !text.contains('\u{1b}') && !text.lines().any(|line| line.starts_with("probes: evil")),
            "{text}"
        );
    }
    assert_eq!(markers_of(&suggested(&path).1), ["app:\"'#:{}/1", "app:${HOME}/1"]);
}

#[test]
fn files_that_can_not_be_inspected_are_refused_in_one_line() {
    let whole = app().bytes();
    let mut class32 = whole.clone();
    class32[4] = 1;
    let mut big_endian = whole.clone();
    big_endian[5] = 2;
    for (bytes, expected) in [
        (&b""[..], "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (&whole[..40], "past the end of the file"),
        (&whole[..whole.len() - 10], "past the end of the file"),
        (&class32, "32-bit"),
        (&big_endian, "big-endian"),
    ] {
        let (_dir, path) = file("app", bytes);
        for (code, out, err) in [inspected(&path, &["*"], false), suggested(&path)] {
            assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
            assert!(err.starts_with(&format!("sidecar: can't inspect {}: ", path.display())), "{err}");
            assert!(err.contains(expected), "{err} should say: {expected}");
        }
    }
    let (dir, _) = file("x", b"");
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (path, expected) in [
        (dir.path().join("none"), "Is the path right?"),
        (fifo, "not a regular file"),
        (dir.path().to_owned(), "not a regular file"),
        (PathBuf::from("/dev/zero"), "not a regular file"),
    ] {
        for (code, out, err) in [inspected(&path, &[], false), suggested(&path)] {
            assert_eq!((code, out.as_str(), err.lines().count()), (1, "", 1), "{err}");
            assert!(err.starts_with("sidecar: can't open ") && err.contains(expected), "{err}");
        }
    }
}

#[test]
fn a_number_is_a_process_unless_it_is_written_as_a_path() {
    let (code, out, _) = inspected(Path::new(&std::process::id().to_string()), &[], false);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("process {}: ", std::process::id())), "{out}");
    // Above every number that Linux gives.
    let (code, out, err) = inspected(Path::new("4194305"), &[], false);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, "sidecar: there is no process 4194305. For a file of this name write ./4194305\n");
    let (dir, path) = file("4711", &app().bytes());
    assert_eq!(inspected(&dir.path().join(".").join("4711"), &[], false).0, 0);
    drop(path);
}

#[test]
fn a_suggestion_is_a_configuration_that_can_be_used() {
    let mut notes = vec![
        BuildNote::new("db:query__start", "8@%rdi -8@%rsi 4@%edx 1@%cl", 0),
        BuildNote::new("db:query__start", "8@%rdi", 8),
        BuildNote::new("runner:test_end", "8@%rdi", 16),
        BuildNote::new("db:empty", "", 24),
        BuildNote::new("nextest:run-done", "8@%rdi 8@%rsi", 32),
    ];
    let path = |name: &str, notes: &[BuildNote]| file(name, &Build::with_notes(notes.to_vec()).bytes());
    let (_dir, app) = path("a[p]p", &notes);
    let (code, text, err) = suggested(&app);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(markers_of(&text), ["db:empty/0", "db:query__start/4", "runner:test_end/1"]);
    assert!(text.contains("# 1 of its markers are known") && text.contains("files: [\""), "{text}");
    assert!(text.contains("# event: test_end"), "{text}");
    // Without the comment marks the hint has to be a word that the configuration knows.
    assert!(text.contains("{role: duration, unit: ns}") && text.contains("{role: test_id, type: string}"));

    let (_dir, library) = path("libdb.so.3", &notes);
    assert!(suggested(&library).1.contains("libraries: [\"libdb.so.3\"]"));
    notes.retain(|note| note.provider == "nextest");
    let (_dir, known) = path("runner", &notes);
    assert_eq!(markers_of(&suggested(&known).1), [""; 0]);
    let (_dir, none) = path("plain", &[]);
    assert!(suggested(&none).1.contains("# It has no markers."));
    assert_eq!(markers_of(&suggested(&none).1), [""; 0]);
}

#[test]
fn functions_are_suggested_as_they_were_asked_for() {
    let (_dir, path) = program();
    let patterns = ["app::st*", "/^app::step/", "no::such", "+0x1010", "app::stop()"];
    let (code, text, err) = suggested_with(&path, &patterns);
    assert_eq!((code, err.as_str()), (0, ""));
    let (_dir, config) = file("sidecar.yml", text.as_bytes());
    let config = usable(Some(&config), &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(config.functions.len(), 4, "{text}");
    assert!(text.contains("# 2 found: a hit costs about 1 us, of 1 of them about 12 us"), "{text}");
    assert!(text.contains("# nothing that can be probed matches no::such"), "{text}");
    let (_, none, _) = suggested_with(&path, &["no::such"]);
    let (_dir, config) = file("sidecar.yml", none.as_bytes());
    assert!(usable(Some(&config), &[]).unwrap().functions.is_empty(), "{none}");
    assert_eq!(suggested_with(&path, &["/(/"]).0, 2);
}
