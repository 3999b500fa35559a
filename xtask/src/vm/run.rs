//! Runs the machine to its end, or to a deadline.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::console::Console;
use crate::process;

/// How long one program may take in the guest.
pub(super) const PROGRAM_SECONDS: u64 = 900;
/// How long the whole may take.
const DEADLINE: Duration = Duration::from_secs(30 * 60);
/// How long the guest may say nothing. The longest test of them all takes a minute on an idle machine.
const SILENCE: Duration = Duration::from_secs(10 * 60);
/// Lines that may wait between the reader and the console.
const LINES_WAITING: usize = 1024;

/// A machine that is ended with its owner.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Boots, shows the console line by line, and keeps all of it in `log`.
pub(super) fn run(command: &mut Command, log: &Path) -> Result<Console> {
    let mut log = File::create(log).with_context(|| log.display().to_string())?;
    let mut machine = Machine(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", process::shown(command)))?,
    );
    let output = machine.0.stdout.take().context("the machine has no console")?;
    let (say, lines) = mpsc::sync_channel(LINES_WAITING);
    let reader = thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // Nobody listens any more after a deadline.
        while output.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0)
            && say.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_ok()
        {
            line.clear();
        }
    });
    let mut console = Console::default();
    let begun = Instant::now();
    let how = loop {
        let left = DEADLINE.saturating_sub(begun.elapsed()).min(SILENCE);
        match lines.recv_timeout(left) {
            Ok(line) => {
                writeln!(log, "{line}")?;
                println!("{line}");
                console.see(&line);
            }
            Err(RecvTimeoutError::Disconnected) => break "ended".to_owned(),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() >= DEADLINE => {
                break format!("was not done after {} min", DEADLINE.as_secs() / 60);
            }
            Err(RecvTimeoutError::Timeout) => {
                break format!("said nothing for {} min", SILENCE.as_secs() / 60);
            }
        }
    };
    drop(machine);
    drop(lines);
    anyhow::ensure!(reader.join().is_ok(), "the console's reader panicked");
    console.close(&how);
    Ok(console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_says_is_read_to_its_end_and_kept() {
        let log = std::env::temp_dir().join(format!("sidecar-console-{}", std::process::id()));
        let script =
            r"printf 'VM-BEGIN a\r\ntest result: ok. 2 passed; 0 failed\r\nVM-END a 0\r\nVM-DONE\r\n'";
        let console = run(&mut process::command(["sh", "-c", script]), &log).unwrap();
        assert!(console.done && console.faults.is_empty() && console.counts.passed == 2);
        assert!(std::fs::read_to_string(&log).unwrap().ends_with("VM-DONE\n"));

        let console = run(&mut process::command(["sh", "-c", "echo 'VM-BEGIN a'; exit 1"]), &log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert!(console.faults[0].starts_with("the guest ended while it ran a"), "{:?}", console.faults);
    }
}
