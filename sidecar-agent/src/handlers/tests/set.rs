//! Tests of adding, removing and replacing handlers while events come.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;
use crate::config::{CommandAction, JsonlAction};

fn jsonl(name: &str, path: &std::path::Path) -> HandlerConfig {
    let action = JsonlAction { path: path.to_owned(), max_bytes: 1 << 30, max_age_sec: None, keep: 1 };
    config(name, Action::Jsonl(action))
}

fn lines(path: &std::path::Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn by_name(handlers: &Handlers, name: &str) -> HandlerStats {
    handlers.stats().into_iter().find(|stats| stats.name == name).unwrap()
}

#[test]
fn an_unchanged_handler_keeps_its_counters_and_a_changed_one_writes_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
    let handlers = Handlers::new();
    handlers.on("test_failure", "own", |_| {}).unwrap();
    handlers.replace_all(&[jsonl("same", &a), jsonl("moved", &b)], LONG).unwrap();
    (0..100).for_each(|i| handlers.dispatch(&message(&i.to_string())));
    handlers.replace_all(&[jsonl("moved", &c), jsonl("same", &a)], LONG).unwrap();
    handlers.dispatch(&message("last"));
    eventually("the old one's end", || handlers.leaving().is_empty());
    assert_eq!(lines(&b), 100);
    assert_eq!(by_name(&handlers, "same").received, 101);
    assert_eq!(by_name(&handlers, "moved").received, 1);
    assert_eq!(by_name(&handlers, "own").received, 101);
    let all = block_on(handlers.finish(LONG));
    all.iter().for_each(assert_balanced);
    assert_eq!((lines(&a), lines(&c)), (101, 1));
}

#[test]
fn handlers_are_replaced_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let handlers = handlers(jsonl("a", &path));
    handlers.on("test_failure", "own", |_| {}).unwrap();
    assert!(matches!(handlers.on("x", "a", |_| {}), Err(HandlersError::NameTaken(_))));
    let wanted = [jsonl("b", &dir.path().join("b")), jsonl("own", &path)];
    assert!(matches!(handlers.replace_all(&wanted, LONG), Err(HandlersError::NameTaken(_))));
    let mut no_glob = jsonl("c", &path);
    no_glob.when.suite = Some("[".to_owned());
    assert!(matches!(handlers.replace_all(&[no_glob], LONG), Err(HandlersError::Glob(_))));
    let names: Vec<_> = handlers.stats().into_iter().map(|stats| stats.name).collect();
    assert_eq!(names, ["a", "own"]);
    assert!(handlers.leaving().is_empty());
    handlers.dispatch(&message("x"));
    block_on(handlers.finish(LONG));
    assert_eq!(lines(&path), 1);
}

#[test]
fn a_removed_handler_gets_nothing_more() {
    let handlers = Handlers::new();
    handlers.on("test_failure", "one", |_| {}).unwrap();
    handlers.dispatch(&message("x"));
    assert!(handlers.remove("one", LONG));
    assert!(!handlers.remove("one", LONG));
    handlers.dispatch(&message("y"));
    handlers.on("test_failure", "one", |_| {}).unwrap();
    let all = block_on(handlers.finish(LONG));
    assert!(all.iter().map(|stats| stats.received).sum::<u64>() <= 1);
}

#[test]
fn reloads_under_load_lose_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let handlers = Arc::new(handlers(jsonl("kept", &kept)));
    let mut big = jsonl("kept", &kept);
    big.queue_size = 1_000_000;
    handlers.replace_all(std::slice::from_ref(&big), LONG).unwrap();
    let end = Arc::new(AtomicBool::new(false));
    let load = {
        let (handlers, end) = (Arc::clone(&handlers), Arc::clone(&end));
        thread::spawn(move || {
            let mut sent = 0_u64;
            while !end.load(Relaxed) || sent == 0 {
                handlers.dispatch(&message("x"));
                sent += 1;
                if sent.is_multiple_of(100) {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            sent
        })
    };
    for i in 0..100 {
        let other = jsonl("other", &dir.path().join(format!("other{}", i % 2)));
        handlers.replace_all(&[other, big.clone()], LONG).unwrap();
    }
    end.store(true, Relaxed);
    let sent = load.join().unwrap();
    let all = block_on(handlers.finish(LONG));
    all.iter().for_each(assert_balanced);
    let kept_stats = all.iter().rfind(|stats| stats.name == "kept" && stats.received > 0).unwrap();
    assert_eq!((kept_stats.received, kept_stats.handled), (sent, sent));
    assert_eq!(lines(&kept) as u64, sent);
}

#[test]
fn dropping_everything_ends_children_and_threads_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 1000", pid_file.display());
    let command = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    let action = CommandAction { command, timeout_sec: 1000.0, concurrency: 1, rate_limit: 100.0 };
    let handlers = handlers(config("hang", Action::Command(action)));
    handlers.dispatch(&message("x"));
    let pid = || std::fs::read_to_string(&pid_file).unwrap_or_default().trim().to_owned();
    eventually("the child", || !pid().is_empty());
    drop(handlers);
    let stat = format!("/proc/{}/stat", pid());
    eventually("the child's end", || !std::path::Path::new(&stat).exists());
}

#[test]
fn an_event_is_made_into_json_once() {
    let message = message("x");
    let (one, two) = (message.line().unwrap(), message.clone().line().unwrap());
    assert_eq!(one.as_ptr(), two.as_ptr());
    assert!(!one.contains(&b'\n'));
}
