//! `sidecar probes inspect` and `sidecar probes suggest`: what can be probed in a file or a process.

mod error;
mod process;
mod report;
mod show;
mod suggest;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;

use crate::aggregate::safe;
use crate::cli::{InspectArgs, SuggestArgs};
use crate::elf::{DebugFiles, FunctionPattern, open};
use error::InspectError;
use process::Process;
use report::{Report, Target};

/// `sidecar probes inspect`: answers on `out`, complains on `err`, and says with which status to exit.
///
/// # Errors
/// The answer can't be written.
pub fn inspect(args: &InspectArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    match look(args) {
        Ok(report) if args.json => tell(out, &format!("{:#}\n", report.json())),
        Ok(report) => tell(out, &show::text(&report)),
        Err(error) => refuse(err, &error),
    }
}

/// `sidecar probes suggest`: answers on `out`, complains on `err`, and says with which status to exit.
///
/// # Errors
/// The answer can't be written.
pub fn suggest(args: &SuggestArgs, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    match parsed(&args.functions).and_then(|patterns| suggest::suggestion(&args.file, &patterns)) {
        Ok(text) => tell(out, &text),
        Err(error) => refuse(err, &error),
    }
}

fn look(args: &InspectArgs) -> Result<Report, InspectError> {
    let patterns = parsed(&args.functions)?;
    match number(&args.target) {
        Some(pid) => Process::open(pid)?.report(&patterns),
        None => {
            let path = args.target.as_path();
            let file = open(path).map_err(|source| InspectError::open(path, source))?;
            let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let target = Target { file: &file, path, debug: DebugFiles::system(&whole) };
            Report::of_file(&target, &patterns)
        }
    }
}

fn parsed(patterns: &[String]) -> Result<Vec<FunctionPattern>, InspectError> {
    let pattern = |text: &String| {
        FunctionPattern::parse(text).map_err(|source| InspectError::Pattern { pattern: text.clone(), source })
    };
    patterns.iter().map(pattern).collect()
}

/// The process that is meant: a file whose name is a number has to be written with its folder.
fn number(target: &Path) -> Option<u32> {
    let text = target.to_str()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Writes the answer; whoever reads it no more has seen enough.
fn tell(out: &mut dyn Write, text: &str) -> io::Result<u8> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(0),
    }
}

fn refuse(err: &mut dyn Write, error: &InspectError) -> io::Result<u8> {
    writeln!(err, "sidecar: {}", safe(&error.to_string()))?;
    Ok(error.exit_code())
}
