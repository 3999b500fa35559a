//! How programs and libraries are found: by name, as they run, wherever they are.

use std::os::unix::fs::symlink;
use std::process::Command;

use anyhow::Result;
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::balance;

const ALL: &str = "sampling: {enabled: false}\n";

/// Hits of the marker `hit`, once there are at least so many.
fn hits(agent: &Agent, provider: &str, at_least: u64) -> Result<u64> {
    until(&format!("{at_least} hits"), || {
        let (hits, _) = balance(&agent.metrics()?, provider, "hit");
        Ok((hits >= at_least).then_some(hits))
    })
}

/// The first event of a program that the config names is seen.
pub(crate) fn configured_files() -> Result<()> {
    let scratch = Scratch::new()?;
    std::fs::create_dir_all(scratch.path("bin/deep"))?;
    let provider = provider();
    let first = Target::with(&scratch.path("bin/one.test"), &provider, &[])?;
    let second = Target::with(&scratch.path("bin/deep/two.test"), &provider, &["-O2"])?;
    std::fs::write(scratch.path("bin/three.test"), "no program")?;
    symlink(scratch.path("bin"), scratch.path("bin/loop"))?;
    let files =
        format!("discovery: {{files: ['{}/**/*.test'], exec: false}}\n", scratch.path("bin").display());
    let agent = Agent::start(&scratch.config(&format!("{ALL}{files}{}", first.probes()))?)?;
    assert!(agent.log().contains("three.test, but it has no marker that is known"), "{}", agent.log());
    first.run(&["hit 1"])?;
    second.run(&["hit 2"])?;
    assert_eq!(hits(&agent, &provider, 3)?, 3);
    scratch.wait_for_events_of(&agent, &provider, 3)?;
    agent.finish()?;
    Ok(())
}

/// A library is named by its path, or by its name in the programs that need it.
pub(crate) fn libraries() -> Result<()> {
    for by_path in [true, false] {
        let scratch = Scratch::new()?;
        let provider = provider();
        let library = scratch.path("libtarget.so");
        let flags = ["-shared", "-fPIC", "-Dmain=target_main"];
        let made = Target::with(&library, &provider, &flags)?;
        let source = scratch.path("main.c");
        std::fs::write(
            &source,
            "int target_main(int, char **); int main(int c, char **v) { return target_main(c, v); }",
        )?;
        let program = scratch.path("program");
        let status = Command::new("cc")
            .args(["-o".as_ref(), program.as_os_str(), source.as_os_str(), library.as_os_str()])
            .arg("-Wl,-rpath,$ORIGIN")
            .status()?;
        assert!(status.success());
        let name = if by_path { library.display().to_string() } else { "libtarget.so".to_owned() };
        let agent = Agent::start(
            &scratch.config(&format!("{ALL}discovery: {{libraries: ['{name}']}}\n{}", made.probes()))?,
        )?;
        let mut running = Running::start(&mut Command::new(&program))?;
        agent.wait_for_log(&format!("attached to {}", library.display()))?;
        running.run(&["hit 3"])?;
        assert_eq!(hits(&agent, &provider, 3)?, 3);
        running.finish()?;
        agent.finish()?;
    }
    Ok(())
}

pub(crate) fn running_already() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let mut running = target.start()?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    assert_eq!(running.ask("semaphores")?, "1 1 1", "{}", agent.log());
    running.run(&["hit 4"])?;
    assert_eq!(hits(&agent, target.provider(), 4)?, 4);
    agent.finish()?;
    running.finish()
}

/// A program that only another mount namespace has is found through /proc.
pub(crate) fn another_namespace() -> Result<()> {
    let scratch = Scratch::new()?;
    let root = scratch.path("root");
    std::fs::create_dir(&root)?;
    let made = scratch.path("made");
    let target = Target::with(&made, &provider(), &["-static"])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    let script = format!(
        "mount -t tmpfs none {root} && mv {made} {root}/hidden && exec chroot {root} /hidden",
        root = root.display(),
        made = made.display()
    );
    let mut running = Running::start(Command::new("unshare").args(["-m", "sh", "-c", &script]))?;
    agent.wait_for_log("/hidden (specs: 5")?;
    assert!(!root.join("hidden").exists());
    assert_eq!(running.ask("semaphores")?, "1 1 1");
    running.run(&["hit 5"])?;
    assert_eq!(hits(&agent, target.provider(), 5)?, 5);
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// A program that more than one overlay shows is one file for the kernel: each hit is counted once.
pub(crate) fn two_overlays() -> Result<()> {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.path("lower"))?;
    let target = Target::with(&scratch.path("lower/target"), &provider(), &["-static"])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    let mut programs = Vec::new();
    for name in ["a", "b"] {
        for part in ["up", "work", "top"] {
            std::fs::create_dir_all(scratch.path(&format!("{name}/{part}")))?;
        }
        let path = |part: &str| scratch.path(&format!("{name}/{part}")).display().to_string();
        let script = format!(
            "mount -t overlay overlay -o lowerdir={},upperdir={},workdir={} {top} && exec {top}/target",
            scratch.path("lower").display(),
            path("up"),
            path("work"),
            top = path("top")
        );
        programs.push(Running::start(Command::new("unshare").args(["-m", "sh", "-c", &script]))?);
        agent.wait_for_log(&format!("attached to {}/target", scratch.path("a/top").display()))?;
    }
    // The agent looks at programs in the order of their execs: when it has seen this one it has seen the others.
    let last = Target::with(&scratch.path("last"), target.provider(), &[])?;
    crate::basics::wait_until_found(&agent, &last)?;
    for running in &mut programs {
        assert_eq!(running.ask("semaphores")?, "1 1 1", "{}", agent.log());
        running.run(&["hit 10"])?;
    }
    assert_eq!(hits(&agent, target.provider(), 20)?, 20, "{}", agent.log());
    for running in programs {
        running.finish()?;
    }
    agent.finish()?;
    Ok(())
}
