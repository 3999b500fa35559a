//! C and C++ programs, linked with the static and with the shared library.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, Ran, finish};

use crate::{Body, Checked, expect_counts};

/// A ring in which no test's events are lost, however late the agent gets a processor.
const ROOMY: &str = "discovery: {ring_bytes: 33554432}\n";

/// How a program is compiled and linked.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    compiler: &'static str,
    language: &'static [&'static str],
    shared: bool,
}

const C: &[&str] = &["-std=c99"];
const CPP: &[&str] = &["-std=c++11", "-x", "c++"];

const WAYS: [Way; 4] = [
    Way { name: "c_static", compiler: "gcc", language: C, shared: false },
    Way { name: "c_shared", compiler: "gcc", language: C, shared: true },
    Way { name: "cpp_static", compiler: "g++", language: CPP, shared: false },
    Way { name: "cpp_shared", compiler: "g++", language: CPP, shared: true },
];

/// This file's tests.
pub(crate) fn tests() -> Vec<(String, Body)> {
    let checks: [Checked; 4] = [
        ("odd_texts_arrive_as_far_as_they_go", "words", words),
        ("a_marker_in_a_signal_handler_arrives", "signals", signals),
        ("markers_of_many_threads_and_of_their_ends_arrive", "threads", threads),
        ("a_forked_child_fires_and_lives", "forks", forks),
    ];
    let mut tests: Vec<(String, Body)> = Vec::new();
    for way in WAYS {
        for (name, verb, check) in checks {
            let body = move || {
                let exec = Exec::new()?.config(ROOMY)?;
                let program = compile(way, &[], exec.folder())?;
                let mut command = exec.command(&[program.to_string_lossy().as_ref(), verb])?;
                // Cargo's names folders with other builds of the library.
                let ran = exec.ran(finish(command.env_remove("LD_LIBRARY_PATH"))?)?;
                ran.expect_code(7)?;
                check(&ran)
            };
            tests.push((format!("{name}::{}", way.name), Box::new(body)));
        }
    }
    tests.push(("a_site_that_would_kill_children_gets_no_probe".to_owned(), Box::new(nop5)));
    tests.push(("a_library_that_comes_and_goes_is_watched".to_owned(), Box::new(reload)));
    tests
}

/// A library that cargo has built beside this test.
fn library(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let path = own.with_file_name(name);
    ensure!(path.is_file(), "{} is missing", path.display());
    Ok(path)
}

/// Compiles `hostile.c` into a folder. A shared library is copied there, so that no other test's probes sit on it.
fn compile(way: Way, flags: &[&str], folder: &Path) -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(way.name);
    let mut command = Command::new(way.compiler);
    command.args(way.language).args(["-Wall", "-Wextra", "-Werror", "-O2"]).args(flags);
    command.arg("-I").arg(here.join("../sidecar-markers/include"));
    command.arg(here.join("tests/kernel_markers/hostile.c")).args(["-x", "none"]);
    if way.shared {
        std::fs::copy(library("libsidecar_markers.so")?, folder.join("libsidecar_markers.so"))?;
        command
            .arg("-L")
            .arg(folder)
            .arg("-lsidecar_markers")
            .arg(format!("-Wl,-rpath,{}", folder.display()));
    } else {
        command.arg(library("libsidecar_markers.a")?).arg("-Wl,--gc-sections");
    }
    command.args(["-pthread", "-ldl", "-o"]).arg(&program);
    let output = command.output().with_context(|| format!("running {}", way.compiler))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(program)
}

fn words(ran: &Ran) -> Result<()> {
    expect_counts(
        ran,
        &[
            ("test_start", 3),
            ("test_end", 2),
            ("test_failure", 1),
            ("step", 1),
            ("event", 1),
            ("megabyte", 1),
            ("inner_nul", 1),
            ("anomaly", 2),
        ],
    )?;
    let [plain, unnamed, long] = ran.of_type("test_start")[..] else { unreachable!("counted above") };
    ensure!(plain["suite"] == "suite" && plain["attempt"] == 2, "{plain}");
    for key in ["test_id", "run_id", "suite", "attempt"] {
        ensure!(unnamed.get(key).is_none(), "what is not given is left out: {unnamed}");
    }
    for key in ["test_id", "run_id", "suite"] {
        let text = long[key].as_str().context("a string")?;
        ensure!(text.len() < 1_100 && text.starts_with(&"m".repeat(1_000)), "{key}: {} bytes", text.len());
    }
    let failure = ran.of_type("test_failure")[0];
    ensure!(failure["message"] == "it broke" && failure["duration_ms"] == 1.234567, "{failure}");
    ensure!(ran.of_type("step")[0]["data"]["a"] == 1, "{:?}", ran.of_type("step"));
    ensure!(ran.of_type("inner_nul")[0]["test_id"] == "in", "{:?}", ran.of_type("inner_nul"));
    Ok(())
}

fn signals(ran: &Ran) -> Result<()> {
    let out = ran.out();
    let (fired, handled) = out.trim().split_once(' ').with_context(|| out.clone())?;
    expect_counts(ran, &[("main", fired.parse()?), ("handler", handled.parse()?)])
}

fn threads(ran: &Ran) -> Result<()> {
    expect_counts(ran, &[("thread", 8 * 200), ("thread_exit", 8), ("exit", 1), ("destructor", 1)])
}

fn forks(ran: &Ran) -> Result<()> {
    ensure!(ran.out().trim() == "0", "children that did not live to their end: {}", ran.out());
    expect_counts(ran, &[("parent", 10), ("child", 10), ("test_end", 10)])
}

/// What observes may miss this marker, where the kernel rewrites its site; the program may not be harmed.
fn nop5() -> Result<()> {
    let exec =
        Exec::new()?.config("probes:\n  - {provider: five, marker: fired, args: ['plain:string']}\n")?;
    let program = exec.folder().join("nop5");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel_markers/nop5.c");
    let mut compile = Command::new("gcc");
    // The note's base is 0, so the addresses in it have to be those of the running program.
    let output = compile.args(["-O1", "-no-pie", "-o"]).arg(&program).arg(source).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ran = exec.run(&[&program])?;
    ran.expect_code(0)?;
    ensure!(ran.out().trim() == "0", "children that did not live to their end: {}", ran.out());
    match ran.events.len() {
        0 => ensure!(ran.err().contains("5-byte nop"), "nobody says why nothing is watched: {}", ran.err()),
        fired => ensure!(fired == 10, "{fired} of 10 events"),
    }
    Ok(())
}

/// Needs a word in the config: nothing in the program's file tells that it will load the library.
fn reload() -> Result<()> {
    let exec = Exec::new()?;
    let program = compile(WAYS[1], &["-DLOADED"], exec.folder())?;
    let path = exec.folder().join("libsidecar_markers.so");
    let exec = exec.config(&format!("discovery: {{libraries: ['{}']}}\n", path.display()))?;
    let ran = exec.run(&[&program, &path])?;
    ran.expect_code(0)?;
    expect_counts(&ran, &[("loaded", 3), ("test_end", 3)])
}
