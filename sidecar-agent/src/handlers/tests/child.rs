//! Tests of one run of a program: what it gets, and how it ends.

use std::process::Command;

use nix::sys::signal::{SigSet, Signal};
use tokio::sync::watch;

use super::super::child::{Ended, Limits, Run, run};
use super::*;

const SHORT: Duration = Duration::from_millis(200);

fn sh(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn run_with(command: Command, line: &[u8], limits: Limits) -> Run {
    let (_stop, mut stopped) = watch::channel(false);
    block_on(run(command, line, limits, &mut stopped)).unwrap()
}

fn run_to_end(script: &str, line: &[u8]) -> Run {
    let run = run_with(sh(script), line, Limits { timeout: LONG, grace: SHORT, stop_grace: SHORT });
    assert!(matches!(run.ended, Ended::Exited(_)), "{run:?}");
    run
}

fn said(script: &str, line: &[u8]) -> String {
    String::from_utf8(run_to_end(script, line).tail).unwrap()
}

fn gone(pid: &str) -> bool {
    // A zombie that its new parent has not collected yet has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty())
}

#[test]
fn the_line_is_on_standard_input_and_nothing_but_it() {
    assert_eq!(said("cat", b"{\"a\":1}"), "{\"a\":1}\n");
    assert_eq!(said("cat; echo bad >&2", b"x"), "bad\n", "standard error is preferred");
}

#[test]
fn a_program_need_not_read_its_input() {
    let long = vec![b'x'; 1 << 20];
    assert_eq!(said("echo done", &long), "done\n");
    assert_eq!(said("exec <&-; echo closed", &long), "closed\n");
    assert_eq!(said("head -c 5", &long), "xxxxx");
}

#[test]
fn it_has_a_group_of_its_own_no_other_descriptors_and_no_blocked_signals() {
    let inherited = std::fs::File::open("/dev/null").unwrap();
    // dup gives a descriptor that survives exec.
    let inherited = nix::unistd::dup(&inherited).unwrap();
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR1);
    blocked.add(Signal::SIGTERM);
    blocked.thread_block().unwrap();
    let fds = said("ls /proc/self/fd | tr '\\n' ' '", b"");
    assert_eq!(fds, "0 1 2 3 ", "3 is the directory that ls reads");
    let status = said("grep -E 'SigBlk|SigIgn' /proc/self/status", b"");
    for line in status.lines() {
        // glibc keeps two signals to itself (32 and 33), and lets nobody set them.
        let set = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap() & !(3 << 31);
        assert_eq!(set, 0, "{status}");
    }
    assert_eq!(
        said("ps -o pgid= -p $$ | tr -d ' '; echo $$", b"")
            .lines()
            .collect::<std::collections::HashSet<_>>()
            .len(),
        1
    );
    blocked.thread_unblock().unwrap();
    drop(inherited);
}

#[test]
fn only_the_end_of_a_flood_is_kept() {
    let run = run_to_end("head -c 3000000 /dev/zero | tr '\\0' x; printf END", b"");
    assert_eq!(run.tail.len(), 512);
    assert!(run.tail.ends_with(b"xEND"));
}

#[test]
fn an_endless_flood_ends_at_the_timeout() {
    let run = run_with(sh("exec yes"), b"", Limits { timeout: SHORT, grace: LONG, stop_grace: LONG });
    assert!(matches!(run.ended, Ended::TimedOut) && run.tail.len() <= 512, "{run:?}");
}

#[test]
fn the_whole_group_dies_even_if_it_does_not_want_to() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    // Both ignore SIGTERM, and the second is a child of the first.
    let script =
        format!("trap '' TERM; sh -c 'sleep 1000; true' & echo $$ $! > {}; wait; wait", pids.display());
    let limits = Limits { timeout: SHORT, grace: SHORT, stop_grace: SHORT };
    let run = run_with(sh(&script), b"", limits);
    assert!(matches!(run.ended, Ended::TimedOut), "{run:?}");
    // A machine so slow that the script had not begun has nothing to look at.
    for pid in std::fs::read_to_string(&pids).unwrap_or_default().split_whitespace() {
        eventually("the end of the group", || gone(pid));
    }
}

#[test]
fn one_that_hears_sigterm_may_say_goodbye() {
    let script = "trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done";
    let limits = Limits { timeout: Duration::from_millis(500), grace: LONG, stop_grace: LONG };
    let run = run_with(sh(script), b"", limits);
    assert!(matches!(run.ended, Ended::TimedOut), "{run:?}");
}

#[test]
fn a_process_that_it_leaves_behind_is_not_waited_for() {
    let started = Instant::now();
    let left = said("sleep 1000 & echo $!", b"");
    assert!(started.elapsed() < LONG);
    let left = nix::unistd::Pid::from_raw(left.trim().parse().unwrap());
    nix::sys::signal::kill(left, Signal::SIGKILL).unwrap();
}

#[test]
fn a_run_ends_when_the_handler_does() {
    let (stop, mut stopped) = watch::channel(false);
    let limits = Limits { timeout: LONG, grace: LONG, stop_grace: SHORT };
    let stopping = thread::spawn(move || stop.send_replace(true));
    let run = block_on(run(sh("trap '' TERM; sleep 1000"), b"", limits, &mut stopped)).unwrap();
    assert!(matches!(run.ended, Ended::Stopped), "{run:?}");
    stopping.join().unwrap();
}

#[test]
fn a_run_that_is_dropped_kills_its_program() {
    let dir = tempfile::tempdir().unwrap();
    let pid_file = dir.path().join("pid");
    let (_stop, mut stopped) = watch::channel(false);
    let script = format!("echo $$ > {}; exec sleep 1000", pid_file.display());
    let limits = Limits { timeout: LONG, grace: LONG, stop_grace: LONG };
    let pid = || std::fs::read_to_string(&pid_file).unwrap_or_default().trim().to_owned();
    block_on(async {
        tokio::select! {
            run = run(sh(&script), b"", limits, &mut stopped) => panic!("{run:?}"),
            () = async { while pid().is_empty() { tokio::time::sleep(Duration::from_millis(2)).await } } => {}
        }
    });
    assert!(gone(&pid()));
}
