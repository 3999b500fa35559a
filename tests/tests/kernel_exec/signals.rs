//! Signals that are sent to sidecar alone: before the command, while it runs, and after it.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, Started, until};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::process::{children, name, state};

pub(crate) fn send(pid: i32, signal: i32) {
    // SAFETY: kill takes two numbers. The process is the test's own and was not waited for.
    unsafe { libc::kill(pid, signal) };
}

/// The command of a run, once it is there.
fn command_of(agent: i32, called: &str) -> Result<i32> {
    until("the command", || {
        Ok(children(agent).into_iter().find(|&child| name(child).as_deref() == Some(called)))
    })
}

pub(crate) fn forwarded() -> Result<()> {
    let script = "for s in HUP INT QUIT USR1 USR2 ALRM VTALRM PROF IO PWR STKFLT WINCH; do
            trap \"echo got $s\" $s; done
        trap 'echo got TERM; exit 9' TERM
        echo ready; while :; do sleep 0.01; done";
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let exec = Exec::new()?;
    let out = std::fs::File::create(&log)?;
    let mut child = exec.command(&["bash", "-c", script])?.stdout(out).stderr(Stdio::null()).spawn()?;
    let wait = |text: &str| {
        until(text, || Ok(std::fs::read_to_string(&log)?.lines().any(|line| line == text).then_some(())))
    };
    wait("ready")?;
    let pid = child.id().cast_signed();
    let signals = [
        ("HUP", libc::SIGHUP),
        ("INT", libc::SIGINT),
        ("QUIT", libc::SIGQUIT),
        ("USR1", libc::SIGUSR1),
        ("USR2", libc::SIGUSR2),
        ("ALRM", libc::SIGALRM),
        ("VTALRM", libc::SIGVTALRM),
        ("PROF", libc::SIGPROF),
        ("IO", libc::SIGIO),
        ("PWR", libc::SIGPWR),
        ("STKFLT", libc::SIGSTKFLT),
        ("WINCH", libc::SIGWINCH),
    ];
    for (signal, number) in signals {
        send(pid, number);
        let answered = wait(&format!("got {signal}"));
        if answered.is_err() {
            child.kill()?;
        }
        answered.with_context(|| format!("{signal} did not reach the command"))?;
    }
    send(pid, libc::SIGTERM);
    let status = until("the end", || Ok(child.try_wait()?))?;
    ensure!(status.code() == Some(9), "{status}");
    let text = std::fs::read_to_string(&log)?;
    ensure!(text.lines().count() == 2 + signals.len(), "each once: {text}");
    Ok(())
}

pub(crate) fn stopped() -> Result<()> {
    let exec = Exec::new()?;
    // In a group whose parent is outside of it: the kernel stops no group that nobody could continue.
    let run = Started::new(exec.command(&["sleep", "600"])?.process_group(0))?;
    let command = command_of(run.pid(), "sleep")?;
    for _ in 0..3 {
        send(run.pid(), libc::SIGTSTP);
        until("both to stop", || {
            let both = [run.pid(), command].iter().all(|&pid| state(pid) == Some('T'));
            Ok(both.then_some(()))
        })?;
        send(run.pid(), libc::SIGCONT);
        until("both to go on", || {
            let both = [run.pid(), command].iter().all(|&pid| state(pid) == Some('S'));
            Ok(both.then_some(()))
        })?;
    }
    send(run.pid(), libc::SIGTERM);
    let status = run.finish()?.status;
    ensure!(status.signal() == Some(libc::SIGTERM), "{status}");
    Ok(())
}

/// At any moment of the start, SIGTERM ends all: either nothing was started, or the command got the signal.
pub(crate) fn early() -> Result<()> {
    for round in 0..40 {
        let exec = Exec::new()?;
        let run = Started::new(&mut exec.command(&["sleep", "600"])?)?;
        std::thread::sleep(std::time::Duration::from_millis(round * 7));
        send(run.pid(), libc::SIGTERM);
        // Its output ends when the last process that it has started is gone.
        let status = run.finish()?.status;
        ensure!(status.signal() == Some(libc::SIGTERM), "round {round}: {status}");
    }
    Ok(())
}

/// The same while the agent attaches to a file of 4,000 sites, and on the way to it.
pub(crate) fn while_attaching() -> Result<()> {
    let program = Program::copy("target_notes")?;
    for round in 0..30 {
        let exec = Exec::new()?.config("probes:\n  - {provider: many, marker: site}\n")?;
        let run = Started::new(&mut exec.command(&[program.path()])?)?;
        std::thread::sleep(std::time::Duration::from_millis(round * 15));
        send(run.pid(), libc::SIGTERM);
        let status = run.finish()?.status;
        ensure!(status.signal() == Some(libc::SIGTERM), "round {round}: {status}");
    }
    Ok(())
}
