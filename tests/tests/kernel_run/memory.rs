//! Memory stays bounded whatever programs pass, and what it is bounded by is counted.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

use crate::basics::{balance, wait_until_found};

/// The default budget.
const BUDGET: u64 = 100_000_000;
/// Most memory that the agent may ever have had.
const MOST: u64 = 90_000_000;
/// Events of each kind.
const EACH: u64 = 200_000;

/// JSON that takes much once it is parsed: a hundred times its text, and as much as is parsed at all.
const PAYLOADS: [&str; 4] = [
    r#"- {"": } -"#,
    r#"- [ ] -"#,
    r#"[ {"":0}, - ]"#,
    r#"[ {"a_key_that_makes_it_just_small_enough":0}, - ]"#,
];

/// The most that was ever resident.
fn peak(agent: &Agent) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Counts lines, each of which has to be JSON, from now on.
fn count_lines(reader: PipeReader) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines() {
            let Ok(line) = line else { return };
            if serde_json::from_str::<serde_json::Value>(&line).is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    count
}

pub(crate) fn hostile_json() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let provider = target.provider();
    let probes =
        target.probes().replace("{name: text, type: string}", "{name: text, role: json, type: string}");
    let section = format!("sampling: {{enabled: false}}\ndiscovery: {{max_string_bytes: 1024}}\n{probes}");
    let config = scratch.config_with_sink(&section, std::path::Path::new("'-'"))?;
    let (reader, writer) = std::io::pipe()?;
    let agent = Agent::spawn(command(Some(&config))?.stdout(Stdio::from(writer)))?.ready()?;
    wait_until_found(&agent, &target)?;
    let before = peak(&agent)?;
    println!("{} kB before the events", before / 1024);

    let (mut hits, mut kept) = (0, 0);
    for payload in PAYLOADS {
        target.run(&[&format!("json {EACH} {payload}")])?;
        hits += EACH;
        kept = until("the ring is read", || {
            let metrics = agent.metrics()?;
            let (seen, kept) = balance(&metrics, provider, "hit");
            ensure!(seen == hits, "{seen} hits");
            let received = metrics.count("sidecar_records_received_total", &[]);
            let waiting = metrics.count("sidecar_queue_size", &[]);
            Ok((received == kept && waiting == 0).then_some(kept))
        })?;
        println!("{payload}: {kept} of {hits} kept so far, at most {} kB", peak(&agent)? / 1024);
    }
    let peak = peak(&agent)?;
    assert!(peak < MOST, "{peak} bytes, {before} before the events");
    let metrics = agent.metrics()?;
    assert!(metrics.count("sidecar_events_dropped_total", &[("reason", "memory")]) > 0, "{}", metrics.0);
    assert_eq!(metrics.count("sidecar_decode_errors_total", &[]), 0);

    // What still waits comes out whole when somebody reads, so that the sum is exact.
    let written = count_lines(reader);
    until("every event is written or counted as dropped", || {
        let dropped = agent.metrics()?.count("sidecar_events_dropped_total", &[]);
        let written = written.load(Ordering::Relaxed);
        ensure!(written + dropped == kept, "{written} written and {dropped} dropped of {kept}");
        Ok(Some(()))
    })?;
    agent.finish()?;
    Ok(())
}

/// Everything that waits is full at once: the ring, the queue, a sink that nobody reads, a program that hangs, a server
/// that never answers with its spool, and as many readers of the stream as there may be, none of which reads.
pub(crate) fn nobody_takes_anything() -> Result<()> {
    const READERS: usize = 16;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let server = TcpListener::bind("127.0.0.1:0")?;
    let handlers = format!(
        "handlers:
  - {{name: hangs, type: command, timeout_sec: 600, rate_limit: 1000, command: [/bin/sleep, '600']}}
  - {{name: silent, type: http, timeout_sec: 300, rate_limit: 10000, url: 'http://{}/'}}
",
        server.local_addr()?
    );
    let lines = format!("{}sampling: {{enabled: false}}\n{handlers}{}", section(&scratch), target.probes());
    let config = scratch.config_with_sink(&lines, std::path::Path::new("'-'"))?;
    let (reader, writer) = std::io::pipe()?;
    let agent = Agent::spawn(command(Some(&config))?.stdout(Stdio::from(writer)))?.ready()?;
    wait_until_found(&agent, &target)?;
    assert!(!agent.log().contains("is below the"), "the default budget has room for this: {}", agent.log());
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut stream = UnixStream::connect(control.path())?;
        stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: sidecar\r\n\r\n")?;
        readers.push(stream);
    }
    until("all read the stream", || {
        let streams = agent.metrics()?.count("sidecar_stream_clients", &[]);
        Ok((streams == READERS as u64).then_some(()))
    })?;

    let (mut hits, mut most) = (0, 0);
    for payload in [r#"xxxxxxxxxxxxxxxx - - -"#, PAYLOADS[3], r#""\u0001 - - ""#] {
        target.run(&[&format!("json {EACH} {payload}")])?;
        hits += EACH;
        until("the ring is read", || {
            let metrics = agent.metrics()?;
            let (seen, kept) = balance(&metrics, target.provider(), "hit");
            ensure!(seen == hits, "{seen} hits");
            most = most.max(metrics.count("sidecar_memory_usage_bytes", &[]));
            let received = metrics.count("sidecar_records_received_total", &[]);
            Ok((received == kept && metrics.count("sidecar_queue_size", &[]) == 0).then_some(()))
        })?;
    }
    let peak = peak(&agent)?;
    println!("at most {} kB by its own account, {} kB resident", most / 1024, peak / 1024);
    assert!(most < BUDGET && peak < BUDGET, "{most} by its own account, {peak} resident");
    let metrics = agent.metrics()?;
    assert!(metrics.count("sidecar_stream_events_lost_total", &[]) > 0, "{}", metrics.0);
    drop((readers, reader, server));
    agent.stop(nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}
