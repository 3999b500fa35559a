//! The presets against the real programs, as Debian has them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

const ALL: &str = "sampling: {enabled: false}\n";

/// Starts a program that says `ready` on its standard error, waits until its file that is meant is watched, lets it go on,
/// and waits for its end.
pub(crate) fn run(agent: &Agent, command: &mut Command, file: &Path) -> Result<u32> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let mut said = BufReader::new(child.stderr.take().context("its standard error")?);
    said.read_line(&mut line)?;
    ensure!(line == "ready\n", "{program} said `{line}`");
    agent.wait_for_log(&format!("attached to {}", file.display()))?;
    child.stdin.take().context("its input")?.write_all(b"\n")?;
    // What it says besides is read, so that it does not wait for a reader.
    std::io::copy(&mut said, &mut std::io::sink())?;
    child.wait()?;
    Ok(child.id())
}

/// Each exception of a C++ program is an anomaly, where the preset is on.
pub(crate) fn libstdcxx() -> Result<()> {
    let scratch = Scratch::new()?;
    let (source, program) = (scratch.path("throw.cc"), scratch.path("throw-program"));
    std::fs::write(
        &source,
        "#include <cstdio>\nint main() { fprintf(stderr, \"ready\\n\"); getchar();
         for (int i = 0; i < 7; ++i) try { try { throw i; } catch (int) { throw; } } catch (int) {} }",
    )?;
    ensure!(
        Command::new("g++").arg("-o").args([&program, &source]).status().context("running `g++`")?.success()
    );
    let lines = format!("{}{ALL}presets: [libstdcxx]\n", section(&scratch));
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let mut child = Command::new(&program).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let pid = child.id();
    let mut line = String::new();
    BufReader::new(child.stderr.take().context("its standard error")?).read_line(&mut line)?;
    agent.wait_for_log("libstdc++.so.6")?;
    child.stdin.take().context("its input")?.write_all(b"\n")?;
    child.wait()?;
    let sink = scratch.sink();
    let of = |kind: &str| -> Result<usize> {
        let events = sidecar_tests::node::events(&sink)?;
        Ok(events.iter().filter(|event| event["pid"] == pid && event["event_type"] == kind).count())
    };
    until("every exception is told", || {
        let counts = (of("exception_thrown")?, of("exception_rethrown")?, of("exception_caught")?);
        Ok((counts == (7, 7, 14)).then_some(()))
    })?;
    let anomalies = agent.metrics()?.count("sidecar_anomalies_total", &[("signal", "events")]);
    ensure!(anomalies >= 28, "{anomalies} anomalies");
    agent.finish()?;
    Ok(())
}

/// Imports and garbage collections of Debian's own Python.
pub(crate) fn python() -> Result<()> {
    let python = Path::new("/usr/bin/python3");
    let scratch = Scratch::new()?;
    // A copy, which other programs on this machine do not use.
    let program = scratch.path("python-program");
    std::fs::copy(python.canonicalize()?, &program)?;
    std::fs::write(scratch.path("imported_once.py"), "")?;
    let lines = format!("{}{ALL}presets: [python]\n", section(&scratch));
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let script = "import sys, gc; sys.stderr.write('ready\\n'); sys.stderr.flush(); input(); import imported_once; \
                  gc.collect()";
    let mut command = Command::new(&program);
    command.args(["-S", "-c", script]).env("PYTHONPATH", scratch.path("")).env("PYTHONHOME", "/usr");
    let pid = run(&agent, &mut command, &program)?;
    let sink = scratch.sink();
    until("the import and the collection are told", || {
        let events = sidecar_tests::node::events(&sink)?;
        let own = || events.iter().filter(|event| event["pid"] == pid);
        let has = |kind: &str, key: &str, value: serde_json::Value| {
            own().any(|event| event["event_type"] == kind && event["data"][key] == value)
        };
        let told = has("python_import_start", "module", "imported_once".into())
            && has("python_import_end", "found", 1.into())
            && has("python_gc_start", "generation", 2.into())
            && own().any(|event| event["event_type"] == "python_gc_end");
        Ok(told.then_some(()))
    })?;
    agent.finish()?;
    Ok(())
}

/// Debian's Java.
pub(crate) const JAVA: &str = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";

/// Threads and the end of a virtual machine, by the library that its launcher loads.
pub(crate) fn jvm() -> Result<()> {
    let scratch = Scratch::new()?;
    let lines = format!("{}{ALL}presets: [jvm]\n", section(&scratch));
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let sink = scratch.sink();
    // The first machine may be over before its library is known; later ones are seen from their start.
    until("a machine's threads and end are told", || {
        let mut command = Command::new(JAVA);
        let mut child = command.arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pid = child.id();
        ensure!(child.wait()?.success());
        let events = sidecar_tests::node::events(&sink)?;
        let own: Vec<_> = events.iter().filter(|event| event["pid"] == pid).collect();
        let reference = own.iter().any(|event| {
            event["event_type"] == "jvm_thread_start" && event["data"]["thread"] == "Reference Handler"
        });
        Ok((reference && own.iter().any(|event| event["event_type"] == "jvm_end")).then_some(()))
    })?;
    agent.finish()?;
    Ok(())
}

/// Without its preset nobody listens; an unknown one is refused.
pub(crate) fn off_and_unknown() -> Result<()> {
    let scratch = Scratch::new()?;
    let config = scratch.config("presets: [nextst]\n")?;
    let output = sidecar_tests::node::command(Some(&config))?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("did you mean `nextest`?"), "{said}");
    let target = sidecar_tests::node::program::Target::compile(&scratch.path("target"))?;
    let lines = format!("{}{ALL}presets: []\n{}", section(&scratch), target.probes());
    let agent = Agent::start(&scratch.config(&lines)?)?;
    crate::basics::wait_until_found(&agent, &target)?;
    let probes = Control::of(&scratch).get("/api/v1/probes")?;
    let all = probes["probes"].as_array().context("a list")?;
    assert!(all.iter().all(|probe| probe["provider"] == target.provider()), "{probes}");
    agent.finish()?;
    Ok(())
}
