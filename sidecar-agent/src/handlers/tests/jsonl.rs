//! Tests of the `jsonl` handler: rotation, and files that are in the way.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::rotate::{RotatingFile, Rotation};
use super::*;
use crate::config::JsonlAction;

fn one(path: &Path, max_bytes: u64, keep: u64) -> Handlers {
    let action = JsonlAction { path: path.to_owned(), max_bytes, max_age_sec: None, keep };
    handlers(config("log", Action::Jsonl(action)))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn ids(text: &str) -> Vec<String> {
    let id = |line| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        json["test_id"].as_str().unwrap().to_owned()
    };
    text.lines().map(id).collect()
}

/// Dispatches one event and waits until it is settled.
fn send(handlers: &Handlers, id: &str) -> HandlerStats {
    handlers.dispatch(&message(id));
    eventually("the line", || {
        let stats = &handlers.stats()[0];
        stats.waiting + stats.in_flight == 0
    });
    handlers.stats().remove(0)
}

fn file(path: &Path, max_bytes: u64, max_age: Option<Duration>, keep: u64) -> RotatingFile {
    let trouble = |text: String| panic!("{text}");
    RotatingFile::new(path, Rotation { max_bytes, max_age, keep }, trouble)
}

#[test]
fn every_line_is_in_one_of_the_files_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let handlers = one(&path, 2000, 1000);
    (0..500).for_each(|i| handlers.dispatch(&message(&format!("{i}\n{{\"forged\":1}}"))));
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 500, &[]);
    let files: Vec<_> =
        (1..).map(|number| numbered(&path, number)).take_while(|path| path.exists()).collect();
    assert!(files.len() > 20, "{}", files.len());
    let mut all = Vec::new();
    for file in files.iter().rev().chain([&path]) {
        assert!(fs::metadata(file).unwrap().len() <= 2000);
        all.extend(ids(&read(file)));
    }
    assert!(all.into_iter().eq((0..500).map(|i| format!("{i}\n{{\"forged\":1}}"))));
}

#[test]
fn no_more_files_are_kept_than_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut file = file(&path, 4, None, 2);
    for line in ["a\n", "b\n", "longer than a file\n", "c\n", "d\n", "e\n", "f\n"] {
        file.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(
        (read(&path), read(&numbered(&path, 1)), read(&numbered(&path, 2))),
        ("e\nf\n".to_owned(), "c\nd\n".to_owned(), "longer than a file\n".to_owned())
    );
    assert!(!numbered(&path, 3).exists());
    file.write_all(b"g\nh\ni\n").unwrap();
    assert_eq!((read(&path), read(&numbered(&path, 1))), ("i\n".to_owned(), "g\nh\n".to_owned()));
}

#[test]
fn an_old_file_is_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let mut file = file(&path, 1 << 20, Some(Duration::from_millis(30)), 5);
    eventually("a rotation", || {
        file.write_all(b"line\n").unwrap();
        numbered(&path, 1).exists()
    });
    assert_eq!(read(&path), "line\n");
}

#[test]
fn a_file_that_somebody_moved_or_deleted_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("log"), dir.path().join("moved"));
    let handlers = one(&path, 1 << 20, 1);
    send(&handlers, "a");
    fs::rename(&path, &moved).unwrap();
    send(&handlers, "b");
    fs::remove_file(&path).unwrap();
    send(&handlers, "c");
    assert_eq!((ids(&read(&moved)), ids(&read(&path))), (vec!["a".to_owned()], vec!["c".to_owned()]));
    assert_counts(&finish(&handlers, LONG), 3, &[]);
}

#[test]
fn a_full_disk_is_counted() {
    let handlers = one(Path::new("/dev/full"), 1 << 20, 1);
    let stats = send(&handlers, "a");
    assert_counts(&stats, 0, &[(Reason::WriteFailed, 1)]);
    assert!(error_text(&stats).contains("No space left"), "{stats:?}");
    (0..600).for_each(|i| handlers.dispatch(&message(&i.to_string())));
    assert_counts(&finish(&handlers, LONG), 0, &[(Reason::WriteFailed, 601)]);
}

#[test]
fn a_missing_directory_is_counted_until_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later/log");
    let handlers = one(&path, 1 << 20, 1);
    eventually("the first look", || handlers.stats()[0].last_error.is_some());
    assert!(error_text(&handlers.stats()[0]).starts_with("can't open "));
    assert_counts(&send(&handlers, "a"), 0, &[(Reason::WriteFailed, 1)]);
    fs::create_dir(path.parent().unwrap()).unwrap();
    let stats = send(&handlers, "b");
    assert_counts(&stats, 1, &[(Reason::WriteFailed, 1)]);
    assert_eq!((stats.consecutive_failures, ids(&read(&path))), (0, vec!["b".to_owned()]));
}

#[test]
fn a_rotation_that_fails_loses_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    // Renaming a file onto a directory is refused.
    fs::create_dir(numbered(&path, 1)).unwrap();
    let handlers = one(&path, 1024, 1);
    (0..50).for_each(|i| handlers.dispatch(&message(&i.to_string())));
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 50, &[]);
    assert!(error_text(&stats).starts_with("can't rotate "), "{stats:?}");
    assert_eq!(ids(&read(&path)).len(), 50);
}

#[test]
fn a_line_that_an_earlier_run_left_torn_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "{\"torn").unwrap();
    let handlers = one(&path, 1 << 20, 1);
    send(&handlers, "a");
    let text = read(&path);
    let (torn, rest) = text.split_once('\n').unwrap();
    assert_eq!((torn, ids(rest)), ("{\"torn", vec!["a".to_owned()]));
}

#[test]
fn a_fifo_without_a_reader_blocks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let handlers = one(&path, 1 << 20, 1);
    for i in 0..10 {
        handlers.dispatch(&message(&i.to_string()));
    }
    let stats = finish(&handlers, LONG);
    assert_eq!(stats.handled + stats.count(Reason::WriteFailed), 10);
}
