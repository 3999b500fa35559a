//! Running other programs: from the repository's root, shown before they start, their failures explained.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

/// The repository's root: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir).to_path_buf()
}

/// The cargo that runs this program, else the one on the path.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// A command to be run in the repository's root. The first word `cargo` means [`cargo`].
pub(crate) fn command<I, S>(words: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut words = words.into_iter();
    let program = words.next();
    let program = program.as_ref().map_or(OsStr::new(""), |word| word.as_ref());
    let mut command = if program == "cargo" { Command::new(cargo()) } else { Command::new(program) };
    command.args(words).current_dir(root());
    // What cargo sets for `cargo run` describes xtask, not the crates that are built next.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" {
            command.env_remove(&*name);
        }
    }
    command
}

/// The command as a person would type it; words with blanks are quoted.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    let program = command.get_program();
    words.push(if program == OsStr::new(&cargo()) { "cargo".to_owned() } else { quoted(program) });
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Runs a command to its end with the terminal as its own.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start `{}`", shown(command)))
}

/// Runs a command and fails unless it succeeds.
pub(crate) fn success(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    anyhow::ensure!(status.success(), "`{}` ended with {status}", shown(command));
    Ok(())
}

/// Runs a command, passing its standard output on to `out` and showing each line to `see` as well.
pub(crate) fn watched(
    command: &mut Command,
    out: &mut dyn Write,
    mut see: impl FnMut(&str),
) -> Result<ExitStatus> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let output = child.stdout.take().context("the child has no standard output")?;
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        see(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    out.flush()?;
    child.wait().with_context(|| format!("cannot wait for `{}`", shown(command)))
}

/// Runs a command and returns its standard output; standard error goes to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    anyhow::ensure!(output.status.success(), "`{}` ended with {}", shown(command), output.status);
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed bytes that are not UTF-8", shown(command)))
}

/// Where a program is on the path, if it is there.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // The owner of a process's own folder in /proc is its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let command = command(["cargo", "test", "-p", "a b", "it's", "--report=x.jsonl", ""]);
        assert_eq!(shown(&command), r"cargo test -p 'a b' 'it'\''s' --report=x.jsonl ''");
    }

    #[test]
    fn watched_lines_arrive_whole_and_the_status_is_the_commands_own() {
        let (mut out, mut lines) = (Vec::new(), Vec::new());
        let mut shell = command(["sh", "-c", "printf 'one\\ntwo'; exit 3"]);
        let status = watched(&mut shell, &mut out, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(lines, ["one", "two"]);
        assert_eq!(out, b"one\ntwo");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = success(&mut command(["no-such-program-anywhere"])).unwrap_err();
        assert!(format!("{error:#}").contains("no-such-program-anywhere"), "{error:#}");
        assert!(which("no-such-program-anywhere").is_none());
        assert!(which("sh").is_some());
    }

    #[test]
    fn the_root_is_the_workspaces() {
        assert!(root().join("Cargo.lock").is_file());
        assert_eq!(command(["true"]).get_current_dir(), Some(root().as_path()));
    }
}
