//! Every hit, record and event has an account, by each reason, to the unit; the API and the metrics agree.
//!
//! Reasons that nobody can cause from outside: `malformed` and `unknown_spec` are driven in the agent's own tests
//! (`observe/intake.rs`), `shutdown`, and `memory` of the agent's own queue, in `kernel_runtime/accounts.rs`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::accounts::Accounts;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command};

/// What all of these agents have: nothing but the target is watched, no governor lowers rates, and nothing is boosted.
fn only(target: &Target, scratch: &Scratch, discovery: &str) -> String {
    let target_path = target.path().display();
    format!(
        "{}profiling: {{enabled: false}}\nshutdown: {{grace_sec: 1}}\n\
         discovery: {{exec: false, files: ['{target_path}']{discovery}}}\n{}",
        section(scratch),
        target.probes()
    )
}

/// Does what the lines say while the agent is stopped, so that all of it waits in the ring.
fn unread<S: AsRef<str>>(agent: &Agent, running: &mut Running, lines: &[S]) -> Result<()> {
    agent.signal(Signal::SIGSTOP)?;
    let done = running.run(lines);
    agent.signal(Signal::SIGCONT)?;
    done
}

pub(crate) fn kernel() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let text = |enabled: bool| {
        format!(
            "enabled: {enabled}\nsampling: {{test_events: 0.1, events: 1, adaptive: {{enabled: false}}}}\n{}",
            only(&target, &scratch, ", ring_bytes: 65536")
        )
    };
    let agent = Agent::start(&scratch.config(&text(true))?)?;
    let mut running = target.start()?;
    let mut tests = 0;
    for block in 0..30 {
        // Few enough for the tiny ring even if the agent gets no processor.
        running.run(&[format!("tests {} 20 0", block * 25), format!("tests {} 5 1", block * 25 + 20)])?;
        tests += 25;
        let accounts = Accounts::settled(&agent, &control)?;
        assert_eq!((accounts.of("hits"), accounts.of("lost")), (2 * tests, 0));
    }
    let accounts = Accounts::settled(&agent, &control)?;
    println!("sampled: {}", accounts.stats["balance"]);
    assert!(accounts.of("sampled_out") > 0 && accounts.of("recalled") > 0);
    assert_eq!(accounts.of("processed"), accounts.of("kept") + accounts.of("recalled"));

    unread(&agent, &mut running, &["hit 5000"])?;
    let accounts = Accounts::settled(&agent, &control)?;
    println!("a full ring: {}", accounts.stats["balance"]);
    assert_eq!(accounts.of("hits"), 2 * tests + 5000);
    assert!(accounts.of("lost") > 0);

    // Hits are disabled from the moment of the switch until the probes are off.
    let disabled = sidecar_tests::node::until("hits meet the switch", || {
        running.send("hit 300000")?;
        for enabled in [false, true] {
            scratch.config(&text(enabled))?;
            control.json("POST", "/api/v1/config/reload", "")?;
        }
        running.run(&["hit 0"])?;
        let accounts = Accounts::settled(&agent, &control)?;
        Ok((accounts.of("disabled") > 0).then_some(accounts))
    })?;
    println!("switched off and on: {}", disabled.stats["balance"]);
    running.finish()?;
    agent.finish()?;
    Ok(())
}

pub(crate) fn queues() -> Result<()> {
    const HITS: u64 = 1000;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let text = |oldest: bool| {
        format!(
            "resources: {{max_queue_size: 100, drop_on_full: {oldest}}}\nsampling: {{enabled: false}}\n{}",
            only(&target, &scratch, "")
        )
    };
    let agent = Agent::start(&scratch.config(&text(true))?)?;
    let mut running = target.start()?;
    let mut before = 0;
    for (round, reason) in (1..).zip(["queue_full_oldest", "queue_full_newest"]) {
        unread(&agent, &mut running, &[format!("hit {HITS}")])?;
        let accounts = Accounts::settled(&agent, &control)?;
        println!("{}", accounts.stats["balance"]);
        assert_eq!((accounts.of("kept"), accounts.of("lost")), (round * HITS, 0));
        assert!(accounts.dropped(reason) > 0);
        let all: u64 =
            ["queue_full_oldest", "queue_full_newest"].map(|reason| accounts.dropped(reason)).iter().sum();
        assert_eq!(all - before, accounts.dropped(reason), "only by the rule in force");
        before = all;
        // The other rule is in force at once.
        scratch.config(&text(false))?;
        control.json("POST", "/api/v1/config/reload", "")?;
    }
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// A sink that nobody reads: its queue fills up in bytes, and the path of events goes on.
pub(crate) fn memory_of_a_sink() -> Result<()> {
    const BURST: u64 = 300;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    // A budget below what the agent needs: each queue gets the least, 1 MB. Without the profiler nobody acts on it.
    let text = format!(
        "resources: {{max_queue_size: 100000, max_memory_mb: 20}}\nsampling: {{enabled: false}}\n{}",
        only(&target, &scratch, ", max_string_bytes: 1024")
    );
    let config = scratch.config_with_sink(&text, Path::new("'-'"))?;
    let (reader, writer) = std::io::pipe()?;
    let agent = Agent::spawn(command(Some(&config))?.stdout(Stdio::from(writer)))?.ready()?;
    let mut running = target.start()?;
    let mut bursts = 0;
    let accounts = sidecar_tests::node::until("the sink's queue is full", || {
        running.run(&[format!("json {BURST} - x - -")])?;
        bursts += 1;
        let accounts = Accounts::settled(&agent, &control)?;
        let dropped = accounts.named("sinks", "stdout")?["not_done"]["memory"].as_u64().unwrap_or(0);
        Ok((dropped > 0).then_some(accounts))
    })?;
    println!("{}", accounts.named("sinks", "stdout")?);
    assert_eq!((accounts.of("kept"), accounts.of("processed")), (BURST * bursts, BURST * bursts));
    running.finish()?;
    drop(reader);
    agent.finish()?;
    Ok(())
}

/// A server on this machine that answers everything with 400; its port, and one where nobody listens.
fn refusing_server() -> Result<(u16, u16)> {
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 65536]);
            let _ = stream.write_all(b"HTTP/1.1 400 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    Ok((port, nobody))
}

pub(crate) fn handlers() -> Result<()> {
    const EVENTS: u64 = 20;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let (refusing, nobody) = refusing_server()?;
    // Its name, how it is made, the reason, and how many at least of the events.
    let stuck = "type: command, queue_size: 3, timeout_sec: 600, command: [/bin/sleep, '600']";
    let cases = [
        ("oldest", format!("{stuck}, drop_on_full: true"), "queue_full_oldest", EVENTS - 4),
        ("newest", format!("{stuck}, drop_on_full: false"), "queue_full_newest", EVENTS - 4),
        ("fails", "type: command, rate_limit: 10000, command: [/bin/false]".into(), "exit_status", EVENTS),
        (
            "missing",
            "type: command, rate_limit: 10000, command: [/no/program]".into(),
            "spawn_failed",
            EVENTS,
        ),
        (
            "slow",
            "type: command, rate_limit: 10000, timeout_sec: 0.05, command: [/bin/sleep, '600']".into(),
            "timeout",
            EVENTS,
        ),
        (
            "limited",
            "type: command, rate_limit: 0.001, command: [/bin/true]".into(),
            "rate_limited",
            EVENTS - 1,
        ),
        (
            "nobody",
            format!("type: http, rate_limit: 10000, max_attempts: 1, url: 'http://127.0.0.1:{nobody}/'"),
            "unreachable",
            1,
        ),
        (
            "refuses",
            format!("type: http, rate_limit: 10000, url: 'http://127.0.0.1:{refusing}/'"),
            "http_status",
            EVENTS,
        ),
        (
            "spool",
            format!("type: http, rate_limit: 10000, spool_events: 1, url: 'http://127.0.0.1:{nobody}/'"),
            "spool_full",
            1,
        ),
        (
            "file",
            format!("type: jsonl, path: {}/no/folder", scratch.path("").display()),
            "write_failed",
            EVENTS,
        ),
    ];
    let mut text = format!("sampling: {{enabled: false}}\n{}handlers:\n", only(&target, &scratch, ""));
    for (name, how, ..) in &cases {
        let events = format!("{}_hit", target.provider());
        text += &format!("  - {{name: {name}, events: [{events}], {how}}}\n");
    }
    let agent = Agent::start(&scratch.config(&text)?)?;
    let mut running = target.start()?;
    running.run(&[format!("hit {EVENTS}")])?;
    let accounts = Accounts::once(&agent, &control, |accounts| {
        for (name, _, reason, least) in &cases {
            let account = accounts.named("handlers", name)?;
            let count = account["not_done"][*reason].as_u64().unwrap_or(0);
            ensure!(account["received"] == EVENTS && count >= *least, "{name}: {account}\n{}", agent.log());
        }
        Ok(())
    })?;
    for (name, ..) in &cases {
        println!("{}", accounts.named("handlers", name)?);
    }
    running.finish()?;
    agent.finish()?;
    Ok(())
}

pub(crate) fn streams() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let text = format!("sampling: {{enabled: false}}\n{}", only(&target, &scratch, ""));
    let agent = Agent::start(&scratch.config(&text)?)?;
    let mut running = target.start()?;
    // A client that reads the head of the answer and then nothing.
    let mut client = UnixStream::connect(control.path())?;
    client.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: sidecar\r\n\r\n")?;
    client.read_exact(&mut [0; 12])?;
    let accounts = sidecar_tests::node::until("the client loses events", || {
        running.run(&["hit 1000"])?;
        let accounts = Accounts::settled(&agent, &control)?;
        let lost = accounts.stats["stream_events"]["not_done"]["lost"].as_u64().unwrap_or(0);
        Ok((lost > 0).then_some(accounts))
    })?;
    let stream = &accounts.stats["stream_events"];
    println!("{stream}");
    assert_eq!(stream["received"], accounts.of("processed"));
    drop(client);
    let accounts = Accounts::once(&agent, &control, |accounts| {
        ensure!(accounts.stats["streams"] == 0 && accounts.stats["stream_events"]["waiting"] == 0);
        Ok(())
    })?;
    println!("{}", accounts.stats["stream_events"]);
    assert!(accounts.stats["stream_events"]["not_done"]["left"].as_u64().is_some_and(|left| left > 0));
    running.finish()?;
    agent.finish()?;
    Ok(())
}
