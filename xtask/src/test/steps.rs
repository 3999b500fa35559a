//! The steps of `cargo xtask test`, in their order.

use anyhow::{Context, Result};

use super::{Part, counts::Counts};
use crate::{build_ebpf, process, tidy, vm};

/// Kernel tests are the test programs of this package whose names begin with [`KERNEL_PREFIX`].
const TESTS_PACKAGE: &str = "sidecar-tests";
/// See [`TESTS_PACKAGE`].
const KERNEL_PREFIX: &str = "kernel";
/// Tells the agent to load this BPF object in place of the one that is built into it.
const OBJECT_VARIABLE: &str = "SIDECAR_BPF_OBJECT";

/// Says how often a kernel test that fails is tried again: see `tests/src/kernel/trial.rs`.
const RETRIES_VARIABLE: &str = "SIDECAR_TEST_RETRIES";

/// One check.
pub(crate) struct Step {
    /// Its name in the output.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// Does it, and counts the tests that it ran.
    pub(crate) run: fn(&mut Counts) -> Result<(), Stop>,
}

/// Why a step did not pass.
pub(crate) enum Stop {
    /// It cannot run here, and nothing is wrong with that.
    LeftOut(String),
    /// It failed.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

const FMT: Step = Step { name: "fmt", about: "formatting", run: fmt };
const CLIPPY: Step = Step { name: "clippy", about: "lints of all crates and targets", run: clippy };
const TIDY: Step = Step { name: "tidy", about: "the architecture's rules", run: tidy_up };
const BUILD: Step = Step { name: "build", about: "the programs that the black-box tests run", run: build };
const WORKSPACE: Step =
    Step { name: "tests", about: "unit, integration, black-box and kernel tests", run: workspace };
const UNIT: Step = Step { name: "unit tests", about: "all tests that need neither root nor BPF", run: unit };
const DOC_TESTS: Step =
    Step { name: "doc tests", about: "the examples in the documentation", run: doc_tests };
const OBJECT: Step =
    Step { name: "object", about: "the committed BPF object against its source", run: object };
const KERNEL: Step = Step { name: "kernel tests", about: "on this machine's kernel", run: kernel };
const REBUILT: Step = Step {
    name: "kernel tests, rebuilt object",
    about: "on the BPF object that was just built from source",
    run: kernel_rebuilt,
};
const SECOND: Step =
    Step { name: "kernel tests, Debian's 6.1", about: "in a machine that qemu emulates", run: second_kernel };
const DOC: Step = Step { name: "doc", about: "the documentation builds without warnings", run: doc };
const DENY: Step = Step { name: "deny", about: "licences, sources and bans of dependencies", run: deny };

/// The steps of a part.
pub(crate) fn of(part: Part) -> Vec<Step> {
    match part {
        Part::All => {
            vec![FMT, CLIPPY, TIDY, BUILD, WORKSPACE, DOC_TESTS, OBJECT, REBUILT, SECOND, DOC, DENY]
        }
        Part::Lint => vec![FMT, CLIPPY, TIDY, DOC, DENY],
        Part::Unit => vec![UNIT, DOC_TESTS],
        Part::Object => vec![OBJECT],
        Part::Kernel => vec![BUILD, KERNEL],
        Part::Vm => vec![SECOND],
    }
}

fn cargo(line: &str) -> std::process::Command {
    let mut command = process::command(["cargo"]);
    command.args(line.split_whitespace());
    command
}

fn succeed(mut command: std::process::Command) -> Result<(), Stop> {
    println!("$ {}", process::shown(&command));
    Ok(process::success(&mut command)?)
}

/// Runs a command that runs tests.
fn count(mut command: std::process::Command, counts: &mut Counts) -> Result<(), Stop> {
    command.env(RETRIES_VARIABLE, "1");
    println!("$ {}", process::shown(&command));
    count_into(&mut command, counts, &mut std::io::stdout())
}

fn count_into(
    command: &mut std::process::Command,
    counts: &mut Counts,
    out: &mut dyn std::io::Write,
) -> Result<(), Stop> {
    let status = process::watched(command, out, |line| counts.see(line))?;
    if status.success() || counts.failed > 0 {
        return Ok(());
    }
    Err(Stop::Failed(anyhow::anyhow!("`{}` ended with {status}", process::shown(command))))
}

fn fmt(_: &mut Counts) -> Result<(), Stop> {
    succeed(cargo("fmt --all --check"))
}

fn clippy(_: &mut Counts) -> Result<(), Stop> {
    succeed(cargo("clippy --workspace --all-targets -- -D warnings"))?;
    // The demonstration suite fails on purpose, so it is no test that `--all-targets` would find.
    succeed(cargo("clippy -p sidecar-demo --test suite -- -D warnings"))
}

fn tidy_up(_: &mut Counts) -> Result<(), Stop> {
    Ok(tidy::check()?)
}

fn build(_: &mut Counts) -> Result<(), Stop> {
    succeed(cargo("build --workspace"))
}

fn workspace(counts: &mut Counts) -> Result<(), Stop> {
    count(cargo("test --workspace --lib --bins --tests --no-fail-fast"), counts)
}

fn unit(counts: &mut Counts) -> Result<(), Stop> {
    let others = format!("test --workspace --lib --bins --tests --no-fail-fast --exclude {TESTS_PACKAGE}");
    count(cargo(&others), counts)?;
    count(cargo(&format!("test -p {TESTS_PACKAGE} --lib --no-fail-fast")), counts)
}

fn doc_tests(counts: &mut Counts) -> Result<(), Stop> {
    count(cargo("test --workspace --doc --no-fail-fast"), counts)
}

fn object(_: &mut Counts) -> Result<(), Stop> {
    succeed(cargo("xtask build-ebpf --check --install"))
}

fn kernel(counts: &mut Counts) -> Result<(), Stop> {
    count(kernel_command()?, counts)
}

fn kernel_rebuilt(counts: &mut Counts) -> Result<(), Stop> {
    let object = build_ebpf::rebuilt_object();
    if !object.is_file() {
        return Err(Stop::Failed(anyhow::anyhow!(
            "there is no {}: the step `object` builds it, see why it did not",
            object.display()
        )));
    }
    let mut command = kernel_command()?;
    command.env(OBJECT_VARIABLE, &object);
    println!("$ export {OBJECT_VARIABLE}={}", object.display());
    count(command, counts)
}

/// The kernel tests on the oldest kernel that is tried. In CI a machine that does not boot is a failure.
fn second_kernel(counts: &mut Counts) -> Result<(), Stop> {
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    if cfg!(not(target_arch = "x86_64")) {
        return Err(Stop::LeftOut("the kernel and the test programs are for x86-64".to_owned()));
    }
    if !ci && !process::is_root() && !vm::is_provided() {
        return Err(Stop::LeftOut("qemu is not installed, and only root could install it".to_owned()));
    }
    let ran = vm::on_the_oldest()?;
    counts.passed += ran.counts.passed;
    counts.failed += ran.counts.failed;
    counts.skips.extend(ran.counts.skips);
    if ran.faults.is_empty() { Ok(()) } else { Err(Stop::Failed(anyhow::anyhow!(ran.faults.join("\n")))) }
}

/// `cargo test` of the kernel test programs alone.
fn kernel_command() -> Result<std::process::Command> {
    let metadata = process::output(&mut cargo("metadata --no-deps --format-version 1"))?;
    let names = kernel_tests(&metadata)?;
    anyhow::ensure!(
        !names.is_empty(),
        "package {TESTS_PACKAGE} has no test programs whose names begin with `{KERNEL_PREFIX}`"
    );
    let mut command = cargo("test --no-fail-fast -p");
    command.arg(TESTS_PACKAGE);
    for name in names {
        command.args(["--test", &name]);
    }
    Ok(command)
}

/// Names of the kernel test programs in what `cargo metadata` prints.
fn kernel_tests(metadata: &str) -> Result<Vec<String>> {
    let metadata: serde_json::Value =
        serde_json::from_str(metadata).context("what `cargo metadata` printed is not JSON")?;
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let mut names = Vec::new();
    for package in list(&metadata["packages"]) {
        if package["name"] != TESTS_PACKAGE {
            continue;
        }
        for target in list(&package["targets"]) {
            let name = target["name"].as_str().unwrap_or_default();
            if list(&target["kind"]).iter().any(|kind| kind == "test") && name.starts_with(KERNEL_PREFIX) {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

fn doc(_: &mut Counts) -> Result<(), Stop> {
    let mut command = cargo("doc --workspace --no-deps");
    command.env("RUSTDOCFLAGS", "-D warnings");
    succeed(command)
}

fn deny(_: &mut Counts) -> Result<(), Stop> {
    if process::which("cargo-deny").is_none() {
        return Err(Stop::LeftOut(
            "cargo-deny is not installed (`cargo install --locked cargo-deny`)".to_owned(),
        ));
    }
    // Not `advisories`: their database comes over the network and changes from day to day.
    succeed(cargo("deny --workspace check --hide-inclusion-graph bans licenses sources"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tests_crates_kernel_programs_are_kernel_tests() {
        let metadata = r#"{"packages": [
            {"name": "sidecar-agent", "targets": [{"name": "kernel_a", "kind": ["test"]}]},
            {"name": "sidecar-tests", "targets": [
                {"name": "kernel_counts", "kind": ["test"]},
                {"name": "kernel_attach", "kind": ["test"]},
                {"name": "black_box", "kind": ["test"]},
                {"name": "kernel_helper", "kind": ["bin"]}]}]}"#;
        assert_eq!(kernel_tests(metadata).unwrap(), ["kernel_attach", "kernel_counts"]);
    }

    #[test]
    fn metadata_that_is_not_json_is_an_error_and_other_json_names_nothing() {
        assert!(kernel_tests("error: no manifest").is_err());
        assert_eq!(kernel_tests("[]").unwrap(), Vec::<String>::new());
        assert_eq!(kernel_tests(r#"{"packages": 3}"#).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_command_that_fails_with_no_failed_test_is_a_failed_step() {
        let (mut counts, mut out) = (Counts::default(), Vec::new());
        let mut broken = process::command(["sh", "-c", "echo 'error: could not compile'; exit 101"]);
        assert!(matches!(count_into(&mut broken, &mut counts, &mut out), Err(Stop::Failed(_))));

        let red = "echo 'test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured'; exit 101";
        assert!(count_into(&mut process::command(["sh", "-c", red]), &mut counts, &mut out).is_ok());
        assert_eq!((counts.passed, counts.failed), (1, 1));
    }

    #[test]
    fn everything_holds_every_other_parts_checks() {
        let all: Vec<_> = of(Part::All).iter().map(|step| step.name).collect();
        for part in [Part::Lint, Part::Object] {
            for step in of(part) {
                assert!(all.contains(&step.name), "{}", step.name);
            }
        }
        assert!(all.contains(&"tests") && all.contains(&"kernel tests, rebuilt object"));
    }
}
