//! Files that change under the agent, and files that nobody should trust.

use std::io::{ErrorKind, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Result;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

const ALL: &str = "sampling: {enabled: false}\n";

/// A program that is replaced keeps being observed: the old one while it runs, the new one as it starts.
pub(crate) fn replaced() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let old = Target::with(&scratch.path("target"), &provider, &[])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", old.probes()))?)?;
    let mut before = old.start()?;
    agent.wait_for_log(&format!("attached to {}", old.path().display()))?;
    let new = Target::with(&scratch.path("new"), &provider, &["-DMANY=3"])?;
    std::fs::rename(new.path(), old.path())?;
    let mut after = old.start()?;
    until("both are observed", || Ok((after.ask("semaphores")? == "1 1 1").then_some(())))?;
    before.run(&["hit 2"])?;
    after.run(&["hit 3"])?;
    let hits = until("5 hits", || {
        let (hits, _) = balance(&agent.metrics()?, &provider, "hit");
        Ok((hits >= 5).then_some(hits))
    })?;
    assert_eq!(hits, 5);
    before.finish()?;
    after.finish()?;
    agent.finish()?;
    Ok(())
}

/// A change of mode, a further name or a new one makes no second image of a file: no hit counts twice.
pub(crate) fn renamed() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    std::fs::set_permissions(target.path(), std::fs::Permissions::from_mode(0o700))?;
    target.run(&["hit 1"])?;
    let linked = scratch.path("linked");
    std::fs::hard_link(target.path(), &linked)?;
    std::process::Command::new(&linked).arg("hit 2").status()?;
    std::fs::rename(&linked, scratch.path("moved"))?;
    std::fs::remove_file(target.path())?;
    std::process::Command::new(scratch.path("moved")).arg("hit 3").status()?;
    // When this one is attached, those before it were looked at.
    let last = Target::with(&scratch.path("last"), target.provider(), &[])?;
    wait_until_found(&agent, &last)?;
    std::process::Command::new(scratch.path("moved")).arg("hit 4").status()?;
    scratch.wait_for_events_of(&agent, target.provider(), 10)?;
    assert_eq!(balance(&agent.metrics()?, target.provider(), "hit"), (10, 10));
    agent.finish()?;
    Ok(())
}

/// A file that is written to in place loses the probes that it had; the new ones sit where they belong.
pub(crate) fn rewritten() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let target = Target::with(&scratch.path("target"), &provider, &[])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["hit 2"])?;
    let other = Target::with(&scratch.path("other"), &provider, &["-O2", "-DMANY=100"])?;
    // Not what `cp` does to a program that others may start: those of this test start it afterwards.
    let mut file = std::fs::File::options().write(true).open(target.path())?;
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(&std::fs::read(other.path())?)?;
    drop(file);
    agent.wait_for_log("was written to; its former probes are off")?;
    target.run(&["hit 3", "many"])?;
    let (hits, many) = until("the hits of both", || {
        let metrics = agent.metrics()?;
        let found = (balance(&metrics, &provider, "hit").0, balance(&metrics, &provider, "many").0);
        Ok((found.1 >= 100).then_some(found))
    })?;
    assert_eq!((hits, many), (5, 100));
    let metrics = agent.metrics()?;
    assert_eq!(metrics.count("sidecar_decode_errors_total", &[]), 0);
    agent.finish()?;
    Ok(())
}

/// What is gone and no longer runs is let go; what it counted stays.
pub(crate) fn deleted() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    let mut running = target.start()?;
    agent.wait_for_log(&format!("attached to {}", target.path().display()))?;
    running.run(&["hit 7"])?;
    std::fs::remove_file(target.path())?;
    assert_eq!(running.ask("semaphores")?, "1 1 1");
    running.run(&["hit 1"])?;
    running.finish()?;
    agent.wait_for_log(&format!("let go of {}", target.path().display()))?;
    until("its specs are taken back", || {
        Ok((balance(&agent.metrics()?, target.provider(), "hit") == (8, 8)).then_some(()))
    })?;
    scratch.wait_for_events_of(&agent, target.provider(), 8)?;
    agent.finish()?;
    Ok(())
}

/// Everything that may lie in a watched folder, beside one program that works.
pub(crate) fn hostile() -> Result<()> {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.path("bin"))?;
    let bin = |name: &str| scratch.path(&format!("bin/{name}"));
    let target = Target::compile(&bin("good"))?;
    let good = std::fs::read(target.path())?;
    let patched = |at: usize, bytes: &[u8]| {
        let mut all = good.clone();
        all[at..at + bytes.len()].copy_from_slice(bytes);
        all
    };
    let note = good.windows(8).position(|window| window == b"stapsdt\0").map_or(0, |at| at - 12);
    let files: [(&str, Vec<u8>); 9] = [
        ("empty", Vec::new()),
        ("text", b"#!/bin/sh\nexit 1\n".to_vec()),
        ("truncated", good[..good.len() / 2].to_vec()),
        ("head", good[..40].to_vec()),
        ("32-bit", patched(4, &[1])),
        ("sections", patched(40, &[0xff; 8])),
        ("counts", patched(56, &[0xff; 8])),
        ("note", patched(note, &[0xff; 8])),
        ("overlapping", patched(32, &0u64.to_le_bytes())),
    ];
    for (name, content) in &files {
        std::fs::write(bin(name), content)?;
        std::fs::set_permissions(bin(name), std::fs::Permissions::from_mode(0o755))?;
    }
    std::fs::create_dir(bin("folder"))?;
    nix::unistd::mkfifo(&bin("fifo"), nix::sys::stat::Mode::S_IRWXU)?;
    std::os::unix::fs::symlink("/dev/zero", bin("zero"))?;
    std::os::unix::fs::symlink(bin("nowhere"), bin("dangling"))?;
    let files = format!(
        "discovery: {{files: ['{}/*', '{}']}}\n",
        scratch.path("bin").display(),
        bin("fifo").display()
    );
    let agent = Agent::start(&scratch.config(&format!("{ALL}{files}{}", target.probes()))?)?;
    target.run(&["hit 2"])?;
    scratch.wait_for_events_of(&agent, target.provider(), 2)?;
    let log = agent.log();
    assert!(log.contains("32-bit, but (unusable) a 32-bit ELF file"), "{log}");
    assert!(log.contains("sections, but (unusable) the table of sections ends at byte"), "{log}");
    let metrics = agent.metrics()?;
    assert!(metrics.count("sidecar_attach_refusals_total", &[("reason", "unusable")]) >= 3, "{log}");
    assert_eq!(agent.health()?["components"]["attachments"]["status"], "healthy");
    assert!(agent.rss()? < 100 << 20);
    agent.finish()?;
    Ok(())
}

/// Writes to a program whose only process was waited for. While the kernel puts probes on a program it holds on to the
/// memory of the processes that run it, and a file counts as executed until the last hold is gone: microseconds after
/// such a process has ended, its file may still be busy.
fn write_once_ended(path: &Path, image: &[u8]) -> Result<()> {
    until("the file to be free", || match std::fs::write(path, image) {
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => Ok(None),
        written => Ok(Some(written?)),
    })
}

/// A program that is replaced and rewritten all the while never gets a probe on a wrong place, and never harms the agent.
pub(crate) fn changing() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let target = Target::with(&scratch.path("target"), &provider, &[])?;
    let other = Target::with(&scratch.path("other"), &provider, &["-O2", "-DMANY=50"])?;
    let images = [std::fs::read(target.path())?, std::fs::read(other.path())?];
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    for round in 0..60 {
        let image = &images[round % 2];
        let path = scratch.path("changing");
        if round % 3 == 0 {
            let whole = scratch.path("whole");
            std::fs::write(&whole, image)?;
            std::fs::set_permissions(&whole, std::fs::Permissions::from_mode(0o755))?;
            std::fs::rename(&whole, &path)?;
        } else {
            write_once_ended(&path, &image[..image.len() / 2])?;
            write_once_ended(&path, image)?;
        }
        let status = until("the file to be free", || {
            match std::process::Command::new(&path).args(["hit 3", "tests 0 3 0"]).status() {
                // A process that another test has just forked still holds it open for writing, until its own exec.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => Ok(None),
                status => Ok(Some(status?)),
            }
        })?;
        // One that was rewritten in place may be executed before the agent has taken the former probes off, which nobody
        // can prevent. One that was put in its place is another file.
        assert!(round % 3 != 0 || status.success(), "round {round}: {status}\n{}", agent.log());
    }
    wait_until_found(&agent, &target)?;
    assert_eq!(agent.metrics()?.count("sidecar_decode_errors_total", &[]), 0);
    agent.finish()?;
    Ok(())
}
