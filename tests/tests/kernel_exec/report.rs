//! A report that can't be written to its end: the command runs, what is missing is counted and said, and nothing
//! keeps the command's end from being passed on.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, Ran, Started, events, finish};
use sidecar_tests::kernel::built;

/// 2,000 events that the ring has room for: lines of some 350 bytes.
fn command() -> Result<[String; 4]> {
    let program = built("target_tests")?.display().to_string();
    Ok([program, "events 2000 100".to_owned(), "say said".to_owned(), "exit 4".to_owned()])
}

/// How many events sidecar says are missing.
fn missing(ran: &Ran) -> Result<usize> {
    ran.expect_code(4)?;
    ensure!(ran.out() == "said\n", "{}", ran.out());
    let said = ran.said();
    let line =
        said.iter().find(|line| line.contains("could not be written to")).with_context(|| ran.err())?;
    let number = line.split(' ').find(|word| word.starts_with(|char: char| char.is_ascii_digit()));
    let number = number.context("a number")?;
    Ok(number.replace(',', "").parse()?)
}

pub(crate) fn full_disk() -> Result<()> {
    let exec = Exec::new()?;
    let disk = exec.folder().join("disk");
    std::fs::create_dir(&disk)?;
    let kept = exec.folder().join("kept");
    // In a mount namespace of its own, which takes the disk with it.
    let script = "mount -t tmpfs -o size=100k tmpfs \"$1\" || exit 99
        disk=$1 kept=$2; shift 2; \"$@\"; status=$?; cp \"$disk/report.jsonl\" \"$kept\"; exit $status";
    let words = ["unshare", "-m", "sh", "-c", script, "sh"].map(PathBuf::from);
    let before: Vec<PathBuf> = words.into_iter().chain([disk.clone(), kept.clone()]).collect();
    let exec = exec.report(Some(disk.join("report.jsonl"))).beneath(&before);
    let ran = exec.run(&command()?)?;
    let missing = missing(&ran)?;
    ensure!(ran.err().contains("No space left on device"), "{}", ran.err());
    let text = std::fs::read(kept)?;
    // The last line may be cut short by the disk's end.
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let lines = events(&text[..whole])?.len();
    ensure!(lines > 0 && lines + missing == 2000, "{lines} lines, {missing} missing");
    Ok(())
}

pub(crate) fn full_device() -> Result<()> {
    let ran = Exec::new()?.report(Some("/dev/full".into())).run(&command()?)?;
    ensure!(missing(&ran)? == 2000, "{}", ran.err());
    Ok(())
}

pub(crate) fn file_size_limit() -> Result<()> {
    let exec = Exec::new()?.beneath(&["prlimit", "--fsize=100000"]);
    let output = finish(&mut exec.command(&command()?)?)?;
    let ran = Ran { output, events: Vec::new() };
    let missing = missing(&ran)?;
    let text = std::fs::read(exec.folder().join("report.jsonl"))?;
    ensure!(text.len() <= 100_000 && missing > 1_000, "{} bytes, {missing} missing", text.len());
    // The command has the limit and the signal as they were.
    let script = "head -c 200000 /dev/zero > \"$0\"";
    let file = exec.folder().join("file").display().to_string();
    let ran = exec.report(None).run(&["sh", "-c", script, &file])?;
    ensure!(ran.status().code() == Some(128 + libc::SIGXFSZ), "{:?}", ran.output);
    Ok(())
}

pub(crate) fn stuck_reader() -> Result<()> {
    let exec = Exec::new()?;
    let fifo = exec.folder().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status()?;
    ensure!(made.success());
    let reader = std::fs::File::options().read(true).write(true).open(&fifo)?;
    let exec = exec.report(Some(fifo));
    let output = finish(&mut exec.command(&command()?)?)?;
    let ran = Ran { output, events: Vec::new() };
    let missing = missing(&ran)?;
    ensure!((1_000..=2_000).contains(&missing), "a pipe holds 64 KiB: {missing} missing");
    ensure!(ran.err().contains("up to ") && ran.err().contains("took nothing"), "{}", ran.err());
    drop(reader);
    Ok(())
}

/// Who only reads standard output has closed standard error: nothing ends for it.
pub(crate) fn closed_stderr() -> Result<()> {
    let exec = Exec::new()?;
    let argv = command()?;
    let mut closed = exec.command(&argv)?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    closed.stderr(writer).stdout(Stdio::piped());
    let mut child = closed.spawn()?;
    drop(closed);
    let mut out = String::new();
    child.stdout.take().context("its output")?.read_to_string(&mut out)?;
    let status = child.wait()?;
    ensure!(status.code() == Some(4) && out == "said\n", "{status}: {out}");
    ensure!(exec.events()?.len() == 2000, "{} lines", exec.events()?.len());

    let mut none = exec.command(&argv)?;
    // SAFETY: between fork and exec this makes one system call.
    unsafe {
        none.pre_exec(|| {
            libc::close(2);
            Ok(())
        });
    }
    let run = Started::new(&mut none)?;
    let output = run.finish()?;
    ensure!(output.status.code() == Some(4) && output.stdout == b"said\n", "{output:?}");
    ensure!(exec.events()?.len() == 2000, "{} lines", exec.events()?.len());
    Ok(())
}
