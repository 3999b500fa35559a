//! Writes a sample suite for cargo-nextest, with tests of every outcome, and tells how it has to end.
//!
//! It is a package of its own with no dependencies, so that it builds in seconds in any folder. Its tests learn
//! from `NEXTEST_ATTEMPT` (cargo-nextest 0.9.116 and later) which attempt they are, so it keeps no state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sidecar_common::Status;

use crate::junit::Outcome;

/// Name of the package.
pub const PACKAGE: &str = "sample-suite";
/// Attempts that a failing test gets.
pub const ATTEMPTS: u32 = 3;

/// What the suite is made of.
#[derive(Clone, Copy, Debug)]
pub struct SuiteOptions {
    /// Ordinary tests that pass; about 60 others come on top.
    pub passing: usize,
    /// How long a slow test sleeps, in milliseconds.
    pub slow_ms: u64,
    /// When a test that hangs is ended, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for SuiteOptions {
    fn default() -> Self {
        Self { passing: 280, slow_ms: 300, timeout_ms: 600 }
    }
}

/// How a run of the suite has to end.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Every attempt.
    pub outcomes: BTreeSet<Outcome>,
    /// Program and name of each ignored test.
    pub skipped: BTreeSet<(String, String)>,
}

/// What a test does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Passes,
    PassesWithResult,
    PanicsAsItShould,
    Sleeps,
    /// Leaves a child behind that holds its output open: nextest's `leak`, which passes.
    Leaks,
    Ignored,
    Fails,
    Panics,
    ReturnsError,
    Exits,
    Aborts,
    Hangs,
    /// Fails until the attempt of this number.
    FailsBefore(u32),
    AbortsBefore(u32),
    HangsBefore(u32),
}

impl Kind {
    /// The attempts' statuses, in order.
    fn statuses(self) -> Vec<Status> {
        let all = |status| vec![status; ATTEMPTS as usize];
        let before =
            |attempt: u32, status| (1..attempt).map(|_| status).chain([Status::Passed]).collect::<Vec<_>>();
        match self {
            Self::Passes | Self::PassesWithResult | Self::PanicsAsItShould | Self::Sleeps | Self::Leaks => {
                vec![Status::Passed]
            }
            Self::Ignored => Vec::new(),
            Self::Fails | Self::Panics | Self::ReturnsError | Self::Exits => all(Status::Failed),
            Self::Aborts => all(Status::Aborted),
            Self::Hangs => all(Status::Timeout),
            Self::FailsBefore(attempt) => before(attempt, Status::Failed),
            Self::AbortsBefore(attempt) => before(attempt, Status::Aborted),
            Self::HangsBefore(attempt) => before(attempt, Status::Timeout),
        }
    }

    /// The test's source, without indentation.
    fn source(self, name: &str, options: &SuiteOptions) -> String {
        let slow = options.slow_ms;
        let attempt = "std::env::var(\"NEXTEST_ATTEMPT\").map_or(1, |n| n.parse::<u32>().unwrap())";
        let hang = "std::thread::sleep(std::time::Duration::from_secs(600));";
        let (attributes, result, body) = match self {
            Self::Passes => ("", "", "assert_eq!(\"abc\".len(), 3);".to_owned()),
            Self::PassesWithResult => ("", " -> Result<(), String>", "Ok(())".to_owned()),
            Self::PanicsAsItShould => ("#[should_panic] ", "", "panic!(\"as it should\");".to_owned()),
            Self::Sleeps => {
                ("", "", format!("std::thread::sleep(std::time::Duration::from_millis({slow}));"))
            }
            Self::Leaks => {
                ("", "", "std::process::Command::new(\"sleep\").arg(\"1\").spawn().unwrap();".to_owned())
            }
            Self::Ignored => ("#[ignore = \"on purpose\"] ", "", "panic!(\"ran all the same\");".to_owned()),
            Self::Fails => ("", "", "assert_eq!(1, 2, \"one is not two\");".to_owned()),
            Self::Panics => ("", "", "panic!(\"größer <&> \\\"quoted\\\"\\nsecond line\");".to_owned()),
            Self::ReturnsError => ("", " -> Result<(), String>", "Err(\"no\".to_owned())".to_owned()),
            Self::Exits => ("", "", "std::process::exit(7);".to_owned()),
            Self::Aborts => ("", "", "std::process::abort();".to_owned()),
            Self::Hangs => ("", "", hang.to_owned()),
            Self::FailsBefore(n) => ("", "", format!("assert!({attempt} >= {n}, \"not yet\");")),
            Self::AbortsBefore(n) => ("", "", format!("if {attempt} < {n} {{ std::process::abort(); }}")),
            Self::HangsBefore(n) => ("", "", format!("if {attempt} < {n} {{ {hang} }}")),
        };
        format!("{attributes}#[test] fn {name}(){result} {{ {body} }}")
    }
}

/// A module of a test program.
#[derive(Default)]
struct Module {
    tests: Vec<(String, Kind)>,
    modules: BTreeMap<String, Module>,
}

impl Module {
    fn add(&mut self, path: &str, kind: Kind) {
        match path.split_once("::") {
            Some((module, rest)) => self.modules.entry(module.to_owned()).or_default().add(rest, kind),
            None => self.tests.push((path.to_owned(), kind)),
        }
    }

    fn source(&self, options: &SuiteOptions) -> String {
        let mut text = String::new();
        for (name, kind) in &self.tests {
            text.push_str(&kind.source(name, options));
            text.push('\n');
        }
        for (name, module) in &self.modules {
            text.push_str("mod ");
            text.push_str(name);
            text.push_str(" {\n");
            text.push_str(&module.source(options));
            text.push_str("}\n");
        }
        text
    }
}

/// A test program: its file and what nextest calls it.
#[derive(Clone, Copy)]
struct Program {
    file: &'static str,
    id: &'static str,
}

const LIBRARY: Program = Program { file: "src/lib.rs", id: "sample-suite" };
const TOOL: Program = Program { file: "src/bin/tool.rs", id: "sample-suite::bin/tool" };
const API: Program = Program { file: "tests/api.rs", id: "sample-suite::api" };
const STORAGE: Program = Program { file: "tests/storage.rs", id: "sample-suite::storage" };
const FLAKY: Program = Program { file: "tests/flaky.rs", id: "sample-suite::flaky" };
const BROKEN: Program = Program { file: "tests/broken.rs", id: "sample-suite::broken" };
const PROGRAMS: [Program; 6] = [LIBRARY, TOOL, API, STORAGE, FLAKY, BROKEN];

/// Every test: its program, its name with modules, what it does.
fn tests(options: &SuiteOptions) -> Vec<(Program, String, Kind)> {
    let mut tests = Vec::new();
    let homes = [
        (LIBRARY, "parser::numbers::accepts"),
        (API, "v1::orders::returns"),
        (STORAGE, "writes"),
        (TOOL, "tests::prints"),
        (LIBRARY, "parser::text::splits"),
        (API, "v2::orders::returns"),
        (STORAGE, "index::tree::keeps_the_order_of"),
    ];
    for (number, (program, prefix)) in (0..options.passing).zip(homes.into_iter().cycle()) {
        let kind = if number % 5 == 0 { Kind::PassesWithResult } else { Kind::Passes };
        tests.push((program, format!("{prefix}_{number:04}"), kind));
    }
    let mut some = |count: usize, program: Program, prefix: &str, kind: Kind| {
        for number in 1..=count {
            tests.push((program, format!("{prefix}_{number}"), kind));
        }
    };
    some(4, LIBRARY, "parser::rejects", Kind::PanicsAsItShould);
    some(12, API, "v2::needs_a_server", Kind::Ignored);
    some(2, STORAGE, "benches::is_ignored_too", Kind::Ignored);
    some(3, STORAGE, "sleeps_a_while", Kind::Sleeps);
    some(1, STORAGE, "leaves_a_child", Kind::Leaks);
    some(6, FLAKY, "network::passes_at_the_second_attempt", Kind::FailsBefore(2));
    some(4, FLAKY, "network::passes_at_the_third_attempt", Kind::FailsBefore(3));
    some(1, FLAKY, "aborts_once", Kind::AbortsBefore(2));
    some(1, FLAKY, "hangs_once", Kind::HangsBefore(2));
    some(6, BROKEN, "compares", Kind::Fails);
    some(3, BROKEN, "deep::er::and_deeper::panics", Kind::Panics);
    some(2, BROKEN, "returns_an_error", Kind::ReturnsError);
    some(1, BROKEN, "exits", Kind::Exits);
    some(2, BROKEN, "aborts", Kind::Aborts);
    some(1, BROKEN, "hangs", Kind::Hangs);
    for (program, name, kind) in [
        (API, "größe_über_alles", Kind::Passes),
        (API, "日本語::の_テスト", Kind::Passes),
        (API, "проверка::имени", Kind::Passes),
        (BROKEN, "größe::fällt_durch", Kind::Fails),
        (FLAKY, "ненадёжный", Kind::FailsBefore(2)),
    ] {
        tests.push((program, name.to_owned(), kind));
    }
    let long = |words: &str| format!("{}long", words.repeat(50));
    tests.push((LIBRARY, format!("{}::{}", long("quite_"), long("very_")), Kind::Passes));
    tests.push((BROKEN, long("too_"), Kind::Fails));
    tests
}

/// Writes the suite into a folder that is there, and tells how a run with its default profile has to end.
///
/// # Errors
/// When a file cannot be written.
pub fn write_nextest_suite(dir: &Path, options: &SuiteOptions) -> Result<Expected> {
    let mut programs: BTreeMap<&str, Module> =
        PROGRAMS.iter().map(|program| (program.file, Module::default())).collect();
    let mut expected = Expected::default();
    for (program, name, kind) in tests(options) {
        programs.entry(program.file).or_default().add(&name, kind);
        if kind == Kind::Ignored {
            expected.skipped.insert((program.id.to_owned(), name));
            continue;
        }
        for (attempt, status) in (1..).zip(kind.statuses()) {
            let (binary_id, test) = (program.id.to_owned(), name.clone());
            expected.outcomes.insert(Outcome { binary_id, test, attempt, status });
        }
    }
    write(dir, "Cargo.toml", &manifest())?;
    write(dir, ".config/nextest.toml", &profile(options))?;
    for (file, module) in programs {
        let mut text = "//! Written by a generator.\n#![allow(warnings)]\n".to_owned();
        if file == TOOL.file {
            text.push_str("fn main() {}\n");
        }
        text.push_str(&module.source(options));
        write(dir, file, &text)?;
    }
    Ok(expected)
}

/// `cargo nextest run` of the suite in a folder, with nothing of the cargo that runs this process.
#[must_use]
pub fn nextest(dir: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["nextest", "run"]).current_dir(dir);
    without_cargo(&mut command);
    command
}

/// Takes away what the cargo that runs this process, or a test runner, has set for its own.
pub fn without_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let cargo = name.starts_with("CARGO") && name != "CARGO_HOME";
        if cargo || name.starts_with("NEXTEST") || name.starts_with("RUST_TEST") {
            command.env_remove(&*name);
        }
    }
}

/// Where a run of the suite in a folder leaves its JUnit report.
#[must_use]
pub fn junit_report(dir: &Path) -> PathBuf {
    dir.join("target/nextest/default/junit.xml")
}

fn manifest() -> String {
    format!("[package]\nname = \"{PACKAGE}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n")
}

/// Time-outs only for the tests that hang: a loaded machine must not end others.
fn profile(options: &SuiteOptions) -> String {
    let mut text = format!("[profile.default]\nretries = {}\nfail-fast = false\n", ATTEMPTS - 1);
    text.push_str("junit = { path = \"junit.xml\", report-skipped = \"ignored\" }\n");
    text.push_str("leak-timeout = \"100ms\"\n");
    let mut overrides = |filter: &str, setting: &str| {
        // Writing to a string does not fail.
        let _ = write!(text, "\n[[profile.default.overrides]]\nfilter = 'test({filter})'\n{setting}\n");
    };
    let half = options.timeout_ms / 2;
    overrides("hangs", &format!("slow-timeout = {{ period = \"{half}ms\", terminate-after = 2 }}"));
    let half = options.slow_ms / 2;
    overrides("sleeps", &format!("slow-timeout = {{ period = \"{half}ms\" }}"));
    text
}

fn write(dir: &Path, file: &str, text: &str) -> Result<()> {
    let path = dir.join(file);
    let folder = path.parent().context("a file has no folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::junit;

    #[test]
    fn nextest_sees_the_suite_as_it_was_meant() {
        let dir = tempfile::tempdir().unwrap();
        let expected = write_nextest_suite(dir.path(), &SuiteOptions::default()).unwrap();
        let run = nextest(dir.path()).output().expect("cargo starts");
        let printed = String::from_utf8_lossy(&run.stderr);
        // 100: the run was whole, and tests failed. Without nextest: `cargo xtask test` installs it.
        assert_eq!(run.status.code(), Some(100), "{printed}");

        let xml = std::fs::read_to_string(junit_report(dir.path())).unwrap();
        let report = junit::read(&xml).unwrap();
        let outcomes = report.outcomes().unwrap();
        assert_eq!(Vec::from_iter(outcomes.difference(&expected.outcomes)), Vec::<&Outcome>::new());
        assert_eq!(Vec::from_iter(expected.outcomes.difference(&outcomes)), Vec::<&Outcome>::new());
        assert_eq!(report.skipped, expected.skipped);
    }

    #[test]
    fn the_suite_is_large_and_has_every_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let expected = write_nextest_suite(dir.path(), &SuiteOptions::default()).unwrap();
        let names: BTreeSet<_> =
            expected.outcomes.iter().map(|outcome| (&outcome.binary_id, &outcome.test)).collect();
        assert!(names.len() >= 300, "{}", names.len());
        let statuses: BTreeSet<_> = expected.outcomes.iter().map(|outcome| outcome.status).collect();
        assert_eq!(
            Vec::from_iter(statuses),
            [Status::Passed, Status::Failed, Status::Timeout, Status::Aborted]
        );
        assert!(names.iter().any(|(_, test)| test.len() > 300));
        assert!(names.iter().any(|(_, test)| !test.is_ascii()));
        assert!(!expected.skipped.is_empty());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = write_nextest_suite(Path::new("/proc/none"), &SuiteOptions::default()).unwrap_err();
        assert!(format!("{error:#}").contains("/proc/none"), "{error:#}");
    }
}
