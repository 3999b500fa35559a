//! Libraries that a program maps after it was executed.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::balance;

/// Waits for so many milliseconds, loads a library, and becomes the program that the library is.
const LOADER: &str = r#"
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    usleep(1000 * atoi(argv[1]));
    void *library = dlopen(argv[2], RTLD_NOW);
    if (!library) return 3;
    int (*run)(int, char **) = (int (*)(int, char **))dlsym(library, "target_main");
    return run ? run(1, argv) : 4;
}
"#;

fn loader(scratch: &Scratch) -> Result<PathBuf> {
    let (source, program) = (scratch.path("loader.c"), scratch.path("loader"));
    std::fs::write(&source, LOADER)?;
    let status = Command::new("cc").arg("-o").args([&program, &source]).arg("-ldl").status()?;
    ensure!(status.success(), "cc: {status}");
    Ok(program)
}

/// A library that is loaded 200 ms after the start, one that is loaded much later, and one that was before the agent
/// came: named by its file name, and found by nothing but its mapping.
pub(crate) fn loaded_later() -> Result<()> {
    let scratch = Scratch::new()?;
    let (program, provider) = (loader(&scratch)?, provider());
    let library = |name: &str, many: &str| -> Result<Target> {
        Target::with(&scratch.path(name), &provider, &["-shared", "-fPIC", "-Dmain=target_main", many])
    };
    let early = library("libearly.so.1.2", "-DMANY=2")?;
    let soon = library("libsoon.so", "-DMANY=3")?;
    let late = library("liblate.so", "-DMANY=4")?;
    let start = |milliseconds: &str, library: &Target| {
        Running::start(Command::new(&program).arg(milliseconds).arg(library.path()))
    };
    let mut programs = vec![start("0", &early)?];
    let config = format!(
        "sampling: {{enabled: false}}\ndiscovery: {{libraries: [libearly.so.1, libsoon.so, liblate.so]}}\n{}",
        early.probes()
    );
    let agent = Agent::start(&scratch.config(&config)?)?;
    // It was there before the agent was ready, so it is watched by now.
    assert_eq!(programs[0].ask("semaphores")?, "1 1 1", "{}", agent.log());
    for (milliseconds, library) in [("200", &soon), ("1300", &late)] {
        programs.push(start(milliseconds, library)?);
        agent.wait_for_log(&format!("attached to {}", library.path().display()))?;
    }
    for running in &mut programs {
        until("it is watched", || Ok((running.ask("semaphores")? == "1 1 1").then_some(())))?;
        running.run(&["hit 5"])?;
    }
    let hits = until("15 hits", || {
        let (hits, _) = balance(&agent.metrics()?, &provider, "hit");
        Ok((hits >= 15).then_some(hits))
    })?;
    assert_eq!(hits, 15);
    for running in programs {
        running.finish()?;
    }
    agent.finish()?;
    Ok(())
}

/// Processes that do nothing but sleep cost next to nothing, although they are looked at again and again.
pub(crate) fn many_idle() -> Result<()> {
    let scratch = Scratch::new()?;
    let agent = Agent::start(&scratch.config("discovery: {libraries: [libnone.so]}\n")?)?;
    let mut sleepers = Vec::new();
    for _ in 0..300 {
        sleepers.push(Command::new("sleep").arg("1000").spawn()?);
    }
    let cpu = |agent: &Agent| -> Result<f64> { Ok(agent.metrics()?.value("process_cpu_seconds_total", &[])) };
    let (before, since) = (cpu(&agent)?, Instant::now());
    while since.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let share = (cpu(&agent)? - before) / since.elapsed().as_secs_f64();
    for mut sleeper in sleepers {
        sleeper.kill()?;
        sleeper.wait()?;
    }
    // A hundredth for these looks; the rest is a debug build's way to answer and to write its log.
    assert!(share < 0.25, "{share} of a core");
    agent.finish()?;
    Ok(())
}

/// A library that is nowhere is said, and keeps nothing else from being watched.
pub(crate) fn of_no_such_name() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("program"))?;
    let config = format!(
        "sampling: {{enabled: false}}\ndiscovery: {{libraries: [libnosuch.so.9, /nowhere/libnosuch.so], files: ['{}']}}\n{}",
        target.path().display(),
        target.probes()
    );
    let agent = Agent::start(&scratch.config(&config)?)?;
    let log = agent.log();
    ensure!(log.contains("the library libnosuch.so.9 is in none of the loader's folders"), "{log}");
    ensure!(log.contains("discovery names /nowhere/libnosuch.so, but it can't be opened"), "{log}");
    target.run(&["hit 3"])?;
    ensure!(agent.health()?["components"]["attachments"]["status"] == "healthy", "{}", agent.log());
    agent.finish()?;
    Ok(())
}
