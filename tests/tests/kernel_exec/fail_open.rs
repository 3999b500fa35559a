//! Whatever happens to the agent and its gate, the command ends as it does unobserved.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, Started, finish, until};
use sidecar_tests::kernel::built;
use sidecar_tests::kernel::program::Program;
use sidecar_tests::process::{children, gate_of, name, state};

use crate::signals::send;

/// Times that somebody is killed in the middle of a run.
const KILLS: u32 = 100;
/// A deadline that no test waits for.
const NEVER: &str = "60000";

/// Programs with markers that start other programs with markers; ends with 7.
fn script() -> Result<[String; 3]> {
    let program = built("target_tests")?.display().to_string();
    let script = format!(
        "echo begin; {program} 'beat 10 5'; {program} 'tests 200' 'say many' & wait $!
        {program} 'fail last no' 'say end' 'exit 7'; status=$?; echo \"it ended with $status\"; exit $status"
    );
    Ok(["sh".to_owned(), "-c".to_owned(), script])
}

/// What the script prints when nobody observes it, and how long it takes.
fn unobserved() -> Result<(Vec<u8>, Duration)> {
    let [shell, flag, script] = script()?;
    let began = Instant::now();
    let output = finish(Command::new(shell).args([flag, script]).stdin(Stdio::null()))?;
    ensure!(output.status.code() == Some(7), "{output:?}");
    Ok((output.stdout, began.elapsed()))
}

/// A child of a process by its name.
fn child(pid: i32, called: &str) -> Option<i32> {
    children(pid).into_iter().find(|&child| name(child).as_deref() == Some(called))
}

/// Runs the script many times and kills somebody: each fifth time while the agent starts, else at moments that are
/// spread over the command's run. Standard output is a pipe that the agent and the command share, so it ends when both
/// have. Gives how many commands went on after the kill.
fn kill(victim: impl Fn(i32) -> Option<i32>) -> Result<u32> {
    let (expected, length) = unobserved()?;
    let mut moments = BTreeMap::new();
    for round in 0..KILLS {
        let exec = Exec::new()?;
        let mut run = Started::new(&mut exec.command(&script()?)?)?;
        let agent = run.pid();
        if round % 5 == 0 {
            std::thread::sleep(Duration::from_millis(3) * round);
        } else {
            // A child of this name is the command, or is about to be.
            until("the command", || {
                Ok((child(agent, "sh").is_some() || run.child().try_wait()?.is_some()).then_some(()))
            })?;
            std::thread::sleep(length * round / KILLS);
        }
        let victim = victim(agent).inspect(|&pid| send(pid, libc::SIGKILL));
        let output = run.finish()?;
        let whole = output.stdout == expected;
        // Killed before it has started the command, the agent has started none.
        ensure!(
            whole || (output.stdout.is_empty() && round % 5 == 0),
            "round {round}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        *moments.entry((victim.is_some(), whole)).or_insert(0) += 1;
    }
    println!("(killed, the command ran to its end): times: {moments:?}");
    Ok(moments.get(&(true, true)).copied().unwrap_or_default())
}

pub(crate) fn agent_killed() -> Result<()> {
    let went_on = kill(Some)?;
    ensure!(went_on >= KILLS / 2, "too few were killed in the middle of the command: {went_on}");
    Ok(())
}

pub(crate) fn gate_killed() -> Result<()> {
    let went_on = kill(|agent| child(agent, "sidecar-gate"))?;
    ensure!(went_on >= KILLS / 2, "too few gates were killed in the middle of the command: {went_on}");
    Ok(())
}

/// A run whose command waits for a line and then executes a program with markers that nobody has seen before.
struct Waiting {
    run: Started,
    program: Program,
    gate: i32,
    exec: Exec,
}

impl Waiting {
    fn start(deadline_ms: &str) -> Result<Self> {
        let exec = Exec::new()?.flags(&["--deadline-ms", deadline_ms]);
        let program = Program::copy("target_tests")?;
        let path = program.path().display().to_string();
        let script = "echo ready >&2; read line; echo going; \"$0\" 'pass a' 'say executed'; echo \"status $?\"; exit 9";
        let mut command = exec.command(&["sh", "-c", script, &path])?;
        let run = Started::new(command.stdin(Stdio::piped()))?;
        let gate = gate_of(run.pid())?;
        until("the command", || Ok(child(run.pid(), "sh")))?;
        Ok(Self { run, program, gate, exec })
    }

    /// A run whose agent stands and whose command waits in its exec, with a deadline that does not come.
    fn held() -> Result<(Self, i32)> {
        let mut waiting = Self::start(NEVER)?;
        let agent = waiting.run.pid();
        Self::stop(agent)?;
        waiting.go()?;
        waiting.until_held()?;
        Ok((waiting, agent))
    }

    /// Stops a process and waits until it stands.
    fn stop(pid: i32) -> Result<()> {
        send(pid, libc::SIGSTOP);
        until("it to stop", || Ok((state(pid) == Some('T')).then_some(())))
    }

    /// Lets the command execute the program.
    fn go(&mut self) -> Result<()> {
        let input = self.run.child().stdin.as_mut().context("its input")?;
        Ok(writeln!(input, "go")?)
    }

    /// Waits until a process waits in its exec: the shell's child is in that system call and does not come out.
    fn until_held(&self) -> Result<()> {
        until("an exec to wait", || {
            let shells = descendants(self.run.pid());
            let held = |pid: &i32| {
                let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
                // execve is 59 on x86-64.
                call.starts_with("59 ")
            };
            Ok(shells.iter().find(|pid| held(pid)).copied())
        })
        .map(drop)
    }

    fn finish(self) -> Result<(Exec, std::process::Output)> {
        let Self { run, program, exec, .. } = self;
        let output = run.finish()?;
        drop(program);
        let out = String::from_utf8_lossy(&output.stdout);
        ensure!(out == "going\nexecuted\nstatus 0\n", "{output:?}");
        Ok((exec, output))
    }
}

fn descendants(pid: i32) -> Vec<i32> {
    let children = children(pid);
    let below: Vec<i32> = children.iter().flat_map(|&child| descendants(child)).collect();
    children.into_iter().chain(below).collect()
}

pub(crate) fn agent_stopped() -> Result<()> {
    let mut waiting = Waiting::start("500")?;
    let agent = waiting.run.pid();
    Waiting::stop(agent)?;
    let began = Instant::now();
    waiting.go()?;
    // All of the command has ended while the agent stands.
    until("the command's end", || {
        let ended = |pid: i32| matches!(state(pid), None | Some('Z'));
        let shells = descendants(agent).into_iter().filter(|&pid| pid != waiting.gate);
        Ok(shells.into_iter().all(ended).then_some(()))
    })?;
    let took = began.elapsed();
    ensure!(state(agent) == Some('T'), "the agent went on by itself");
    send(agent, libc::SIGCONT);
    let (_, output) = waiting.finish()?;
    ensure!(took >= Duration::from_millis(450), "it was not held: {took:?}");
    ensure!(output.status.code() == Some(9), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("1 program went on before the probes were on"), "{said}");
    Ok(())
}

pub(crate) fn gate_killed_while_holding() -> Result<()> {
    let (waiting, agent) = Waiting::held()?;
    let began = Instant::now();
    send(waiting.gate, libc::SIGKILL);
    until("the command's end", || {
        let ended = |pid: i32| matches!(state(pid), None | Some('Z'));
        Ok(descendants(agent).into_iter().all(ended).then_some(()))
    })?;
    ensure!(began.elapsed() < Duration::from_secs(30), "it waited for the deadline: {:?}", began.elapsed());
    send(agent, libc::SIGCONT);
    let (_, output) = waiting.finish()?;
    ensure!(output.status.code() == Some(9), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("no longer held"), "it says that the gate is gone: {said}");
    Ok(())
}

pub(crate) fn agent_killed_while_holding() -> Result<()> {
    let (waiting, agent) = Waiting::held()?;
    let began = Instant::now();
    send(agent, libc::SIGKILL);
    waiting.finish()?;
    ensure!(began.elapsed() < Duration::from_secs(30), "it waited for the deadline: {:?}", began.elapsed());
    Ok(())
}

pub(crate) fn both_killed() -> Result<()> {
    for stop_gate in [false, true] {
        let (waiting, agent) = Waiting::held()?;
        if stop_gate {
            Waiting::stop(waiting.gate)?;
        }
        send(agent, libc::SIGKILL);
        send(waiting.gate, libc::SIGKILL);
        waiting.finish()?;
    }
    Ok(())
}
