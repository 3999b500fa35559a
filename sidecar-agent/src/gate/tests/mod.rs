//! The gate on the real kernel, each test on a tmpfs of its own so that nobody else is held.

mod fixture;

use super::{Gate, GateError, Options, WireError};
use fixture::{Fixture, NEVER, next, unprivileged, until, until_ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Starts a command in a thread: starting it waits at the gate.
fn start(program: &Path, args: &[&Path]) -> JoinHandle<std::io::Result<ExitStatus>> {
    let mut command = Command::new(program);
    command.args(args);
    thread::spawn(move || command.status())
}

fn finish(run: JoinHandle<std::io::Result<ExitStatus>>) {
    assert!(run.join().unwrap().unwrap().success());
}

fn pid_of(process: &Child) -> Pid {
    Pid::from_raw(i32::try_from(process.id()).unwrap())
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap())
}

#[test]
fn a_program_does_not_run_until_it_is_answered_for() {
    let Some(fixture) = Fixture::new() else { return };
    let (touch, touched) = (fixture.program("touch"), fixture.outside("touched"));
    let gate = fixture.gate(NEVER, 10);
    let run = start(&touch, &[&touched]);
    let mut request = next(&gate);

    let executing = std::fs::read_link(format!("/proc/{}/exe", request.pid)).unwrap();
    assert_ne!(executing, touch, "it is still the program before");
    let mut image = Vec::new();
    request.file.read_to_end(&mut image).unwrap();
    assert_eq!(image, std::fs::read(&touch).unwrap());
    thread::sleep(Duration::from_millis(50));
    assert!(!touched.exists());

    gate.answer(request.id).unwrap();
    finish(run);
    assert!(touched.exists());
    let stats = gate.shutdown();
    assert_eq!((stats.events, stats.held, stats.answered, stats.guaranteed()), (1, 1, 1, true), "{stats:?}");
    assert!(stats.max_hold() > Duration::ZERO);
    assert_eq!(gate.filesystems(), 1);
    until_ended(gate.pid());
}

#[test]
fn a_fresh_file_is_asked_for_each_time_and_a_settled_one_once() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(NEVER, 10);
    let asked = || {
        let run = start(&program, &[]);
        gate.answer(next(&gate).id).unwrap();
        finish(run);
    };
    asked();
    asked();
    thread::sleep(Duration::from_millis(2_100));
    asked();
    finish(start(&program, &[]));
    fixture.program("true");
    asked();
    thread::sleep(Duration::from_millis(2_100));
    let run = start(&program, &[]);
    gate.answer_once(next(&gate).id).unwrap();
    finish(run);
    asked();
    finish(start(&program, &[]));
    gate.forget().unwrap();
    asked();
    let stats = gate.shutdown();
    assert_eq!((stats.answered, stats.known), (7, 2), "{stats:?}");
}

#[test]
fn a_script_is_asked_for_and_then_its_interpreter() {
    let Some(fixture) = Fixture::new() else { return };
    let shell = fixture.program("sh");
    let script = fixture.script("script", &format!("#!{}\nexit 0\n", shell.display()));
    let gate = fixture.gate(NEVER, 10);
    let run = start(&script, &[]);
    for start in [&b"#!"[..], b"\x7fELF"] {
        let mut request = next(&gate);
        let mut begin = vec![0; start.len()];
        request.file.read_exact(&mut begin).unwrap();
        assert_eq!(begin, start);
        gate.answer(request.id).unwrap();
    }
    finish(run);
    assert_eq!(gate.shutdown().answered, 2);
}

#[test]
fn the_deadline_lets_go_and_a_silent_agent_delays_only_once() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(Duration::from_millis(50), 10);
    finish(start(&program, &[]));
    let late = next(&gate);
    finish(start(&program, &[]));
    let told = next(&gate);
    assert_ne!(late.id, told.id);
    gate.answer(late.id).unwrap();
    finish(start(&program, &[]));
    let stats = gate.shutdown();
    assert_eq!((stats.expired, stats.stalled, stats.held, stats.answered), (2, 1, 2, 0), "{stats:?}");
    assert!(!stats.guaranteed());
    assert!(stats.max_hold() > Duration::ZERO);
}

#[test]
fn nobody_outside_the_tree_is_held() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let agent = fixture.agent(NEVER, "read line");
    finish(start(&program, &[]));
    let gate = agent.gate;
    let said = agent.end();
    assert!(said.contains("events: 1, own: 0, unwatched: 1,"), "{said}");
    until_ended(gate);
}

#[test]
fn when_the_agent_is_killed_everyone_goes_on_and_the_gate_ends() {
    let Some(fixture) = Fixture::new() else { return };
    let (touch, touched) = (fixture.program("touch"), fixture.outside("touched"));
    let script = format!("read line; {} {}", touch.display(), touched.display());
    let mut agent = fixture.agent(NEVER, &script);
    agent.go();
    // The shell's child waits at the gate: its name is still the shell's.
    let held = until("the child", || held_child(agent.process.id()));
    thread::sleep(Duration::from_millis(50));
    assert!(!touched.exists());
    kill(pid_of(&agent.process), Signal::SIGKILL).unwrap();
    until("the program's work", || touched.exists().then_some(()));
    until_ended(held);
    until_ended(agent.gate);
}

/// A grandchild of a process, if there is one.
fn held_child(pid: u32) -> Option<u32> {
    children(pid).into_iter().flat_map(children).next()
}

/// The children of all threads of a process.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.collect::<String>().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[test]
fn when_the_agent_is_stopped_everyone_goes_on_at_the_deadline() {
    let Some(fixture) = Fixture::new() else { return };
    let (touch, touched) = (fixture.program("touch"), fixture.outside("touched"));
    let script = format!("read line; {} {}", touch.display(), touched.display());
    let mut agent = fixture.agent(Duration::from_millis(200), &script);
    kill(pid_of(&agent.process), Signal::SIGSTOP).unwrap();
    agent.go();
    until("the program's work", || touched.exists().then_some(()));
    kill(pid_of(&agent.process), Signal::SIGCONT).unwrap();
    let said = agent.end();
    assert!(said.contains("expired: 1,"), "{said}");
}

#[test]
fn when_the_gate_is_killed_everyone_goes_on_and_the_agent_is_told() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(NEVER, 10);
    let run = start(&program, &[]);
    let request = next(&gate);
    kill(pid(gate.pid()), Signal::SIGKILL).unwrap();
    finish(run);
    let error = until("the end of the gate", || gate.recv().err());
    assert!(matches!(error, GateError::Ended), "{error}");
    assert!(matches!(gate.answer(request.id), Err(GateError::Ended)));
    finish(start(&program, &[]));
}

#[test]
fn dropping_the_gate_lets_everyone_go() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(NEVER, 10);
    let process = gate.pid();
    let run = start(&program, &[]);
    next(&gate);
    drop(gate);
    finish(run);
    until_ended(process);
}

#[test]
fn shutting_down_lets_everyone_go_and_counts_them() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(NEVER, 10);
    let runs: Vec<_> = (0..3).map(|_| start(&program, &[])).collect();
    runs.iter().for_each(|_| drop(next(&gate)));
    let stats = gate.shutdown();
    runs.into_iter().for_each(finish);
    assert_eq!((stats.held, stats.released), (3, 3), "{stats:?}");
}

#[test]
fn a_process_that_is_killed_while_it_waits_dies_at_once() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(NEVER, 10);
    let run = start(&program, &[]);
    let request = next(&gate);
    kill(pid(request.pid), Signal::SIGKILL).unwrap();
    let status = run.join().unwrap().unwrap();
    assert_eq!(status.signal(), Some(9));
    gate.answer(request.id).unwrap();
    let stats = gate.shutdown();
    assert_eq!((stats.held, stats.answered), (1, 1), "{stats:?}");
}

#[test]
fn beyond_the_bound_programs_go_on_at_once() {
    let Some(fixture) = Fixture::new() else { return };
    let program = fixture.program("true");
    let gate = fixture.gate(NEVER, 2);
    let held: Vec<_> = (0..2).map(|_| start(&program, &[])).collect();
    let requests: Vec<_> = held.iter().map(|_| next(&gate)).collect();
    (0..3).for_each(|_| finish(start(&program, &[])));
    requests.iter().for_each(|request| gate.answer(request.id).unwrap());
    held.into_iter().for_each(finish);
    let stats = gate.shutdown();
    assert_eq!((stats.answered, stats.overload, stats.events), (2, 3, 5), "{stats:?}");
}

#[test]
fn the_gate_holds_nothing_of_whoever_started_it() {
    let Some(fixture) = Fixture::new() else { return };
    // The agent has a pipe as standard output and as descriptor 7, which programs inherit.
    let agent = fixture.agent(NEVER, "read line");
    let entries = std::fs::read_dir(format!("/proc/{}/fd", agent.gate)).unwrap().flatten();
    let mut open: Vec<_> = entries
        .filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
        .map(|link| {
            link.split(':').next().unwrap_or_default().to_owned()
                + if link.contains("fan") { "+" } else { "" }
        })
        .collect();
    open.sort();
    let gate = agent.gate;
    let mountinfo = format!("/proc/{gate}/mountinfo");
    assert_eq!(open, ["/dev/null", "/dev/null", &mountinfo, "anon_inode", "anon_inode+", "socket"]);
    let session = nix::unistd::getsid(Some(pid(gate))).unwrap();
    assert_eq!(session, pid(gate), "it leads a session of its own");
    agent.end();
}

#[test]
fn without_the_privilege_it_says_what_is_missing() {
    let Some(fixture) = Fixture::new() else { return };
    let output = unprivileged(&fixture).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("CAP_SYS_ADMIN: run sidecar as root"), "{output:?}");
}

#[test]
fn a_filesystem_that_is_not_there_is_an_error() {
    if Fixture::new().is_none() {
        return;
    }
    let error = fixture::gate(Path::new("/nowhere/at/all"), NEVER, 1).unwrap_err();
    assert!(matches!(error, GateError::NothingMarked(_)), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_program_that_is_no_gate_is_an_error() {
    let launch = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args);
        Gate::launch(command, Options::default()).unwrap_err()
    };
    assert!(matches!(launch("/nowhere/at/all", &[]), GateError::Spawn(_)));
    assert!(matches!(launch("true", &[]), GateError::Ended));
    let garbage = launch("sh", &["-c", "printf garbage >&0"]);
    assert!(matches!(garbage, GateError::Wire(WireError::Unknown(b'g'))), "{garbage}");
}
