//! Programs under `sidecar exec`: the agent finds the library in them without a word in its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, Ran};
use sidecar_tests::kernel::trial;
use sidecar_tests::libsidecar::{missing, prefix, root, succeed};

use crate::Case;

/// How a program is linked.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    shared: bool,
    flags: &'static [&'static str],
}

const WAYS: [Way; 3] = [
    Way { name: "shared", shared: true, flags: &[] },
    Way { name: "static", shared: false, flags: &[] },
    Way { name: "static_gc", shared: false, flags: &["-Wl,--gc-sections", "-fno-exceptions", "-flto"] },
];

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let missing =
        || trial::obstacle().map(str::to_owned).or_else(|| missing("gcc")).or_else(|| missing("objcopy"));
    let mut cases = Vec::new();
    for way in WAYS {
        let case = |name: &str, body: fn(Way) -> Result<()>| {
            Case::new(&format!("{name}::{}", way.name), missing(), move || body(way))
        };
        cases.push(case("markers_fire_before_and_after_main_and_in_children", everywhere));
        cases.push(case("a_program_of_abi_version_1_runs_and_is_seen", old));
    }
    cases.push(Case::new("each_copy_that_is_loaded_is_seen", missing(), twice));
    cases.push(Case::new("it_stands_beside_another_library_written_in_rust", missing(), beside));
    cases.push(Case::new("it_stands_in_a_program_written_in_rust", missing(), inside));
    cases
}

fn source(name: &str) -> PathBuf {
    root().join("tests/tests/client_c").join(name)
}

/// Compiles a program into the folder, with a copy of the shared library on which no other test's probes sit.
fn compile(name: &str, way: Way, more: &[&Path], folder: &Path) -> Result<PathBuf> {
    let program = folder.join(way.name);
    let mut compiler = Command::new("gcc");
    compiler.args(["-std=gnu99", "-O2", "-Wall", "-Wextra", "-Werror"]).args(way.flags);
    compiler.arg("-I").arg(prefix()?.join("include")).arg("-I").arg(root().join("tests/fixtures"));
    compiler.arg(source(name)).args(more);
    if way.shared {
        compiler.arg(copy(folder, "")?).arg(format!("-Wl,-rpath,{}", folder.display()));
    } else {
        compiler.arg(prefix()?.join("lib/libsidecar.a"));
    }
    succeed(compiler.args(["-ldl", "-lpthread", "-lm", "-o"]).arg(&program))?;
    Ok(program)
}

/// A copy of the shared library, under its soname with this ending.
fn copy(folder: &Path, ending: &str) -> Result<PathBuf> {
    let soname = prefix()?.join("lib/libsidecar.so").read_link()?;
    let copy = folder.join(format!("{}{ending}", soname.display()));
    std::fs::copy(prefix()?.join("lib/libsidecar.so"), &copy)?;
    Ok(copy)
}

fn expect(ran: &Ran, types: &[(&str, usize)]) -> Result<()> {
    for (event_type, count) in types {
        let seen = ran.of_type(event_type).len();
        ensure!(seen == *count, "{seen} of {count} `{event_type}`: {:?}\n{}", ran.events, ran.err());
    }
    ensure!(ran.events.len() == types.iter().map(|(_, count)| count).sum::<usize>(), "{:?}", ran.events);
    Ok(())
}

fn everywhere(way: Way) -> Result<()> {
    let exec = Exec::new()?;
    let ran = exec.run(&[compile("constructor.c", way, &[], exec.folder())?])?;
    ran.expect_code(7)?;
    let types = ["before_main", "child_before_main", "in_main", "child_of_main", "after_main"];
    expect(&ran, &types.map(|event_type| (event_type, 1)))
}

/// The header has changed since; what has not is told, and nothing happens to the program.
fn old(way: Way) -> Result<()> {
    let exec = Exec::new()?.config("sampling: {enabled: false}\n")?;
    let ran = exec.run(&[compile("abi.c", way, &[], exec.folder())?])?;
    ran.expect_code(7)?;
    let out = ran.out();
    let (header, _) = out.trim().split_once(' ').with_context(|| out.clone())?;
    ensure!(header == "1", "{out}");
    expect(&ran, &[("test_start", 1), ("step", 1), ("test_end", 1)])?;
    ensure!(ran.events.iter().all(|event| event["test_id"] == "old"), "{:?}", ran.events);
    ensure!(ran.ends()[0]["status"] == "passed", "{:?}", ran.ends());
    Ok(())
}

/// Two files, a third one in a namespace of its own, and the first file once more: of one file the kernel raises the
/// semaphores in a single place of a process, so that there nobody seems to listen.
fn twice() -> Result<()> {
    let exec = Exec::new()?;
    let copies = [copy(exec.folder(), "")?, copy(exec.folder(), ".1")?, copy(exec.folder(), ".2")?];
    let program = exec.folder().join("twice");
    succeed(Command::new("gcc").arg(source("twice.c")).args(["-ldl", "-o"]).arg(&program))?;
    // Nothing in the program's file tells that it will load the library.
    let names = copies.each_ref().map(|copy| format!("'{}'", copy.display())).join(", ");
    let exec = exec.config(&format!("discovery: {{libraries: [{names}]}}\n"))?;
    let ran = exec.run(&[&program, &copies[0], &copies[1], &copies[2]])?;
    ran.expect_code(0)?;
    let same_file = ran.of_type("same_file").len();
    expect(
        &ran,
        &[("first_copy", 1), ("other_copy", 1), ("own_namespace", 1), ("same_file", same_file.min(1))],
    )
}

fn beside() -> Result<()> {
    let exec = Exec::new()?;
    let other = exec.folder().join("libother.a");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--crate-type", "staticlib", "-o"]).arg(&other).arg(source("other.rs"));
    succeed(&mut rustc)?;
    let ran = exec.run(&[compile("beside.c", WAYS[1], &[&other], exec.folder())?])?;
    ran.expect_code(7)?;
    expect(&ran, &[("beside", 1)])
}

fn inside() -> Result<()> {
    let exec = Exec::new()?;
    let program = exec.folder().join("inside");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-L"]).arg(prefix()?.join("lib")).arg("-o").arg(&program);
    succeed(rustc.arg(source("inside.rs")))?;
    let ran = exec.run(&[program])?;
    ran.expect_code(7)?;
    expect(&ran, &[("inside", 1)])
}
