//! Sinks that can't be written, that fill up, and that nobody reads. The path of events does not notice.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

use crate::basics::{balance, wait_until_found};

const ALL: &str = "sampling: {enabled: false}\nhealth_checks: {interval_sec: 1}\n";

/// Answers within a second, whatever the sinks do.
fn health_at_once(agent: &Agent) -> Result<serde_json::Value> {
    let start = Instant::now();
    let health = agent.health()?;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    Ok(health)
}

/// Waits until health says what is wrong with the sinks.
fn wait_for_trouble(agent: &Agent, says: &str) -> Result<()> {
    until(&format!("health says `{says}`"), || {
        let health = health_at_once(agent)?;
        let sinks = &health["components"]["sinks"];
        ensure!(sinks["message"].as_str().is_some_and(|message| message.contains(says)), "{health}");
        assert_eq!((&sinks["status"], &health["status"]), (&"degraded".into(), &"degraded".into()));
        assert_eq!(agent.get("/health")?.status, 200);
        Ok(Some(()))
    })
}

pub(crate) fn unwritable() -> Result<()> {
    let scratch = Scratch::new()?;
    for (sink, says) in [
        (scratch.path("no/such/folder.jsonl"), "does its directory exist"),
        (scratch.path(""), "Is a directory"),
    ] {
        let output = command(Some(&scratch.config_with_sink("", &sink)?))?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&sink.display().to_string()) && said.contains(says), "{said}");
    }
    Ok(())
}

/// A small file system that goes with its guard.
struct Disk<'p>(&'p Path);

impl<'p> Disk<'p> {
    fn new(path: &'p Path) -> Result<Self> {
        std::fs::create_dir(path)?;
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(path).status()?;
        ensure!(status.success(), "mount: {status}");
        Ok(Self(path))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have files open there.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

pub(crate) fn full_disk() -> Result<()> {
    let scratch = Scratch::new()?;
    let mount = scratch.path("disk");
    let disk = Disk::new(&mount)?;
    let sink = disk.0.join("events.jsonl");
    let target = Target::compile(&scratch.path("target"))?;
    let config = scratch.config_with_sink(&format!("{ALL}{}", target.probes()), &sink)?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    target.run(&["hit 2000"])?;
    wait_for_trouble(&agent, "No space left on device")?;
    let metrics = agent.metrics()?;
    assert!(metrics.count("sidecar_events_dropped_total", &[("reason", "write_failed")]) > 0);
    assert!(metrics.count("sidecar_errors_total", &[("component", "sinks")]) > 0);
    assert_eq!(balance(&metrics, target.provider(), "hit").0, 2000);
    // Room again, and it goes on.
    File::options().write(true).open(&sink)?.set_len(0)?;
    target.run(&["hit 3"])?;
    let last = until("the last event", || {
        let lines: Vec<String> = BufReader::new(File::open(&sink)?).lines().collect::<Result<_, _>>()?;
        Ok(lines.last().filter(|line| line.contains("hit number 2")).cloned())
    })?;
    serde_json::from_str::<serde_json::Value>(&last).context("a whole line")?;
    until("health is well again, or a minute of remembering", || {
        let health = health_at_once(&agent)?;
        let message = health["components"]["sinks"]["message"].as_str().unwrap_or_default().to_owned();
        Ok((!message.contains("No space")).then_some(()))
    })?;
    agent.finish()?;
    drop(disk);
    Ok(())
}

/// An agent that writes to its standard output.
fn to_stdout(scratch: &Scratch, target: &Target, stdout: Stdio) -> Result<Agent> {
    let config = scratch.config_with_sink(&format!("{ALL}{}", target.probes()), Path::new("'-'"))?;
    let agent = Agent::spawn(command(Some(&config))?.stdout(stdout))?.ready()?;
    wait_until_found(&agent, target)?;
    Ok(agent)
}

pub(crate) fn closed_pipe() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (reader, writer) = std::io::pipe()?;
    let agent = to_stdout(&scratch, &target, writer.into())?;
    drop(reader);
    target.run(&["hit 10"])?;
    wait_for_trouble(&agent, "Broken pipe")?;
    // Other programs of this machine may fire sidecar's own markers.
    let dropped = until("every event of the program has failed", || {
        let metrics = agent.metrics()?;
        let dropped = metrics.count("sidecar_events_dropped_total", &[("reason", "write_failed")]);
        Ok((dropped >= 10).then_some(dropped))
    })?;
    let log = agent.finish()?;
    let said = log.lines().find_map(|line| line.split_once(" events were not written to stdout"));
    let count = said.and_then(|(before, _)| before.rsplit(' ').next()?.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count >= dropped), "{dropped}: {log}");
    Ok(())
}

/// The pipe is full and its reader sleeps. The ring is read all the same, and what can't be written is counted.
pub(crate) fn unread_pipe() -> Result<()> {
    // More than the queue and the pipe hold, but never more at once than the ring does.
    const BURSTS: u64 = 15;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (reader, writer) = std::io::pipe()?;
    let agent = to_stdout(&scratch, &target, writer.into())?;
    let mut dropped = 0;
    for burst in 1..=BURSTS {
        target.run(&["hit 2000"])?;
        dropped = until("the ring is read", || {
            let metrics = agent.metrics()?;
            assert_eq!(balance(&metrics, target.provider(), "hit"), (2000 * burst, 2000 * burst));
            let received = metrics.count("sidecar_records_received_total", &[]);
            let dropped = metrics.count("sidecar_sink_events_dropped_total", &[("sink", "stdout")]);
            let waiting = metrics.count("sidecar_queue_size", &[]);
            // Other programs of this machine may fire sidecar's own markers.
            Ok((received >= 2000 * burst && waiting == 0).then_some(dropped))
        })?;
    }
    assert!(dropped > 0);
    wait_for_trouble(&agent, "queue")?;
    println!("{dropped} of {} dropped", 2000 * BURSTS);
    let start = Instant::now();
    let log = agent.finish()?;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(log.contains("events were not written to stdout"), "{log}");
    drop(reader);
    Ok(())
}
