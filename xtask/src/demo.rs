//! `cargo xtask demo`: the README's first command. Runs the demonstration suite under `sidecar exec`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::process;

/// What `cargo test` exits with when tests fail. Some tests of the demonstration fail on purpose.
const EXPECTED_STATUS: i32 = 101;
/// Where the report goes, seen from the repository's root.
const REPORT: &str = "target/demo/report.jsonl";
/// The demonstration suite's own command.
const SUITE: [&str; 6] = ["cargo", "test", "-p", "sidecar-demo", "--test", "suite"];

/// Watch the demonstration suite through eBPF: the quickest way to see what sidecar does
///
/// Builds the agent and the demonstration suite, then runs `sidecar exec --report FILE -- cargo test ...`.
/// Nothing of the tests is changed: what you see was observed from outside. Some of the tests fail on
/// purpose; this command succeeds when the suite ends with the exit status that it has unobserved (101).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Arguments for the test program, for example a part of a test's name
    #[arg(last = true, value_name = "TEST ARGS")]
    test_args: Vec<String>,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if !process::is_root() {
        println!(
            "not root, so the tests run unobserved; to see them observed: sudo -E env PATH=\"$PATH\" cargo xtask demo"
        );
    }
    eprintln!("building the agent and the demonstration suite");
    process::success(&mut process::command(["cargo", "build", "--release", "-p", "sidecar-agent"]))?;
    process::success(process::command(SUITE).arg("--no-run"))?;

    let report = process::root().join(REPORT);
    let folder = report.parent().context("the report has no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if let Err(error) = std::fs::remove_file(&report)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot replace the last report, {}", report.display()));
    }

    let agent = release_dir().join("sidecar");
    let mut command = process::command([agent.as_os_str()]);
    command.args(["exec", "--report", REPORT, "--"]).args(SUITE);
    if !args.test_args.is_empty() {
        command.arg("--").args(&args.test_args);
    }
    println!("\nSome of these tests fail on purpose: an observer is for the bad days.\n");
    println!("$ {}\n", process::shown(&command));
    let status = process::status(&mut command)?;

    if let Ok(text) = std::fs::read_to_string(&report) {
        println!("\n{} events, one a line: {REPORT}", text.lines().count());
    }
    match status.code() {
        Some(EXPECTED_STATUS) => {
            println!("Exit status {EXPECTED_STATUS}: the tests' own, passed on unchanged.");
            Ok(ExitCode::SUCCESS)
        }
        Some(0) if !args.test_args.is_empty() => Ok(ExitCode::SUCCESS),
        _ => bail!("the command ended with {status}, where exit status {EXPECTED_STATUS} was expected"),
    }
}

/// The folder with the release build's programs, seen from the repository's root where it lies inside.
fn release_dir() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| "target".into(), std::path::PathBuf::from)
        .join("release")
}
