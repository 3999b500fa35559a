//! Markers of real programs of Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::node::scratch::Scratch;

use crate::compared::{Probe, compare, copy};

/// Config lines for markers, each counted under a type of its own.
fn probes(provider: &str, markers: &[&str]) -> String {
    let line = |marker: &&str| {
        format!("  - {{provider: {provider}, marker: {marker}, event_type: oracle_{marker}}}\n")
    };
    format!("probes:\n{}", markers.iter().map(line).collect::<String>())
}

fn all(file: &Path, provider: &str, markers: &[&str]) -> Vec<Probe> {
    markers.iter().map(|marker| Probe::marker(file, provider, marker)).collect()
}

/// Throws, rethrows and catches of four threads.
pub(crate) fn libstdcxx() -> Result<()> {
    const MARKERS: [&str; 3] = ["throw", "rethrow", "catch"];
    let scratch = Scratch::new()?;
    let (source, program) = (scratch.path("throw.cc"), scratch.path("throw"));
    std::fs::write(
        &source,
        "#include <thread>\n#include <vector>\nint main() { std::vector<std::thread> all;
         for (int t = 0; t < 4; ++t) all.emplace_back([] { for (int i = 0; i < 1000; ++i) {
           try { try { throw i; } catch (int) { throw; } } catch (int) {}
           try { throw 'c'; } catch (...) {} } });
         for (auto &one : all) one.join(); }",
    )?;
    let mut compiler = Command::new("g++");
    ensure!(compiler.arg("-pthread").arg("-o").args([&program, &source]).status()?.success());
    let found = Command::new("g++").arg("-print-file-name=libstdc++.so.6").output()?;
    let library = copy(&scratch, Path::new(String::from_utf8(found.stdout)?.trim()), "libstdc++.so.6")?;
    let lines =
        format!("discovery: {{libraries: ['{}']}}\n{}", library.display(), probes("libstdcxx", &MARKERS));
    let mut workload = Command::new(&program);
    workload.env("LD_LIBRARY_PATH", scratch.path(""));
    let counts = compare(&scratch, &library, &lines, &all(&library, "libstdcxx", &MARKERS), &mut workload)?;
    assert_eq!(counts, [8000, 4000, 12000], "what the program did");
    Ok(())
}

/// All of Python's markers, those of each call and each line too.
pub(crate) fn python() -> Result<()> {
    const MARKERS: [&str; 8] = [
        "function__entry",
        "function__return",
        "line",
        "audit",
        "gc__start",
        "gc__done",
        "import__find__load__start",
        "import__find__load__done",
    ];
    let scratch = Scratch::new()?;
    let program = copy(&scratch, &Path::new("/usr/bin/python3").canonicalize()?, "python-program")?;
    let lines = format!("discovery: {{files: ['{}']}}\n{}", program.display(), probes("python", &MARKERS));
    let script = "import gc, json, sys\nsys.setprofile(None)\ndef f(n):\n    return n if n == 0 else f(n - 1)\n\
                  for _ in range(200):\n    f(20)\n    json.dumps({'a': [1, 2]})\n\
                  for _ in range(7):\n    gc.collect()\n";
    let mut workload = Command::new(&program);
    workload.args(["-S", "-c", script]).env("PYTHONHOME", "/usr").env("PYTHONDONTWRITEBYTECODE", "1");
    let counts = compare(&scratch, &program, &lines, &all(&program, "python", &MARKERS), &mut workload)?;
    // The workload's own share of them is known; the interpreter's start adds to it.
    let least = [4200, 4200, 4200, 1, 7, 7, 1, 1];
    ensure!(counts.iter().zip(least).all(|(count, least)| *count >= least), "{counts:?}");
    Ok(())
}

/// Debian's Java.
pub(crate) const JAVA: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";

/// Threads, classes and the end of a virtual machine.
pub(crate) fn jvm() -> Result<()> {
    const MARKERS: [&str; 8] = [
        "thread__start",
        "thread__stop",
        "class__loaded",
        "method__entry",
        "method__return",
        "vm__init__begin",
        "vm__init__end",
        "vm__shutdown",
    ];
    let scratch = Scratch::new()?;
    let (java, library) = runtime(&scratch)?;
    let lines =
        format!("discovery: {{libraries: ['{}']}}\n{}", library.display(), probes("hotspot", &MARKERS));
    let mut workload = Command::new(java);
    workload.args(["-XX:+ExtendedDTraceProbes", "-XX:+DTraceMethodProbes", "-Xint", "-version"]);
    let counts = compare(&scratch, &library, &lines, &all(&library, "hotspot", &MARKERS), &mut workload)?;
    // The machine may end before a thread of its own has stopped.
    let least = [4, 0, 300, 1000, 1000, 1, 1, 1];
    ensure!(counts.iter().zip(least).all(|(count, least)| *count >= least), "{counts:?}");
    Ok(())
}

/// A Java runtime of links, but for its launcher and its virtual machine: these find all else by where they are.
fn runtime(scratch: &Scratch) -> Result<(PathBuf, PathBuf)> {
    let home = Path::new(JAVA).parent().and_then(Path::parent).context("its home")?;
    let java = copy(scratch, Path::new(JAVA), "jre/bin/java")?;
    let library = copy(scratch, &home.join("lib/server/libjvm.so"), "jre/lib/server/libjvm.so")?;
    for folder in ["lib", "lib/server"] {
        for entry in std::fs::read_dir(home.join(folder))? {
            let entry = entry?;
            let to = scratch.path("jre").join(folder).join(entry.file_name());
            if !to.exists() {
                std::os::unix::fs::symlink(entry.path(), to)?;
            }
        }
    }
    Ok((java, library))
}
