//! On a terminal: what a user sees, keys, sizes, and job control.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, until};
use sidecar_tests::kernel::built;
use sidecar_tests::process::{children, name, state};
use sidecar_tests::pty::Terminal;

fn on_terminal(mut command: Command) -> Result<Terminal> {
    command.env("TERM", "xterm").env_remove("NO_COLOR");
    Terminal::start(&mut command, 40, 100)
}

/// What is written without what escape sequences do; enough for a line of text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        let end = match after.as_bytes().first() {
            Some(b'[') => {
                after.find(|char: char| char.is_ascii_alphabetic()).map_or(after.len(), |at| at + 1)
            }
            Some(_) => 1,
            None => 0,
        };
        rest = &after[end..];
    }
    plain + rest
}

pub(crate) fn shown() -> Result<()> {
    let exec = Exec::new()?;
    let program = built("target_tests")?.display().to_string();
    let script =
        format!("printf '\\033[31mred'; {program} 'pass a::b' 'fail c::d because' 'sleep 1500'; echo done");
    let terminal = on_terminal(exec.command(&["sh", "-c", &script])?)?;
    terminal.wait_for("2 tests: 1 passed, 1 failed")?;
    let (status, seen) = terminal.finish()?;
    ensure!(status.success(), "{status}: {seen}");
    let last = plain(seen.split("done\r\n").last().context("no output")?);
    ensure!(last.starts_with("sidecar: 2 tests in "), "the summary follows the output at once: {last:?}");
    for text in ["1 passed, 1 failed", "c::d", "because", "Slowest", "Observation", "0 lost"] {
        ensure!(last.contains(text), "{text}: {last}");
    }
    ensure!(seen.contains("\x1b[32m1 passed"), "in colour: {seen:?}");
    Ok(())
}

pub(crate) fn keys() -> Result<()> {
    let exec = Exec::new()?;
    // Ctrl-C: the command has it once, from the terminal, and may go on; its end is passed on.
    let script = "trap 'echo got it' INT; echo ready; while :; do read line && echo \"line $line\"; done";
    let mut terminal = on_terminal(exec.command(&["sh", "-c", script])?)?;
    terminal.wait_for("ready")?;
    for time in 1..=3 {
        terminal.press("\x03")?;
        until("the command's answer", || {
            Ok((terminal.seen().matches("got it").count() >= time).then_some(()))
        })?;
    }
    terminal.press("hello\n")?;
    terminal.wait_for("line hello")?;
    ensure!(terminal.seen().matches("got it").count() == 3, "each once: {}", terminal.seen());
    terminal.press("\x1c")?;
    let (status, seen) = terminal.finish()?;
    ensure!(status.signal() == Some(libc::SIGQUIT), "{status}: {seen}");

    // Without a trap the command dies of it, and so does sidecar. One process: a shell's child that has yet to let go of
    // the shell's handlers would swallow the key, and the shell wait for it.
    let mut terminal = on_terminal(exec.command(&["sh", "-c", "echo ready; exec sleep 600"])?)?;
    terminal.wait_for("ready")?;
    terminal.press("\x03")?;
    let (status, seen) = terminal.finish()?;
    ensure!(status.signal() == Some(libc::SIGINT), "{status}: {seen}");
    Ok(())
}

pub(crate) fn size() -> Result<()> {
    let exec = Exec::new()?;
    let script = "trap 'stty size; tty' WINCH; stty size; test -t 0 -a -t 1 -a -t 2 && echo all three
        echo to the terminal > /dev/tty; until read -t 0.1 line; do :; done; exit 4";
    let mut terminal = on_terminal(exec.command(&["bash", "-c", script])?)?;
    terminal.wait_for("to the terminal")?;
    ensure!(terminal.seen().contains("40 100\r\nall three\r\n"), "{}", terminal.seen());
    terminal.resize(33, 77)?;
    terminal.wait_for("33 77")?;
    terminal.press("end\n")?;
    let (status, seen) = terminal.finish()?;
    ensure!(status.code() == Some(4), "{status}: {seen}");
    ensure!(seen.matches("33 77").count() == 1, "once: {seen}");
    Ok(())
}

/// In an interactive shell: Ctrl-Z stops sidecar with its command, `fg` continues both. And a shell beneath sidecar
/// has jobs of its own.
pub(crate) fn job_control() -> Result<()> {
    let exec = Exec::new()?.flags(&["--summary", "never"]);
    let run = exec.command(&["sh", "-c", "echo ready; read line; echo \"line $line\"; exit 5"])?;
    let words: Vec<_> =
        std::iter::once(run.get_program()).chain(run.get_args()).map(|word| word.to_string_lossy()).collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();

    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "prompt> ");
    let mut terminal = on_terminal(shell)?;
    terminal.wait_for("prompt> ")?;
    terminal.press(&format!("{}; echo \"ended $?\"\n", quoted.join(" ")))?;
    terminal.wait_for("ready\r\n")?;
    let bash = terminal.pid();
    let agent = until("sidecar", || {
        Ok(children(bash).into_iter().find(|&child| name(child).as_deref() == Some("sidecar")))
    })?;
    terminal.press("\x1a")?;
    until("sidecar to stop", || Ok((state(agent) == Some('T')).then_some(())))?;
    terminal.wait_for("Stopped")?;
    terminal.press("fg\n")?;
    until("sidecar to go on", || Ok((state(agent) == Some('S')).then_some(())))?;
    until("the foreground", || Ok((terminal.foreground()? == agent).then_some(())))?;
    terminal.press("hello\n")?;
    terminal.wait_for("line hello")?;
    terminal.press("echo \"then $?\"\n")?;
    terminal.wait_for("then ")?;
    terminal.press("exit 6\n")?;
    ensure!(terminal.finish()?.0.code() == Some(6));

    let mut inner = exec.command(&["bash", "--norc", "--noprofile", "-i"])?;
    inner.env("PS1", "inner> ");
    let mut terminal = on_terminal(inner)?;
    terminal.wait_for("inner> ")?;
    terminal.press("sleep 600\n")?;
    until("the job in the foreground", || {
        Ok((name(terminal.foreground()?).as_deref() == Some("sleep")).then_some(()))
    })?;
    terminal.press("\x1a")?;
    terminal.wait_for("Stopped")?;
    terminal.press("kill -9 %1; fg; exit 7\n")?;
    let (status, seen) = terminal.finish()?;
    ensure!(status.code() == Some(7), "{status}: {seen}");
    Ok(())
}
