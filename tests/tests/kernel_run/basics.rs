//! What `sidecar run` is for: programs are found, events are written, counts are exact, and it ends in good order.

use std::time::Instant;

use anyhow::Result;
use nix::sys::signal::Signal;
use sidecar_tests::node::answer::{Metrics, ask};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

/// Waits until the agent has put its probes on the target by an exec.
pub(crate) fn wait_until_found(agent: &Agent, target: &Target) -> Result<()> {
    let mut running = target.start()?;
    agent.wait_for_log(&format!("attached to {}", target.path().display()))?;
    running.run(&["sync"])?;
    running.finish()
}

/// Hits of a marker so far. While it fires, the counters that make up the balance are read one after the other.
pub(crate) fn hits(agent: &Agent, provider: &str, marker: &str) -> Result<u64> {
    Ok(agent.metrics()?.count("sidecar_hits_total", &[("provider", provider), ("marker", marker)]))
}

/// The balance of one marker: hits = kept + sampled out + lost + disabled. Gives hits and kept.
pub(crate) fn balance(metrics: &Metrics, provider: &str, marker: &str) -> (u64, u64) {
    let count = |name: &str| metrics.count(name, &[("provider", provider), ("marker", marker)]);
    let (hits, kept) = (count("sidecar_hits_total"), count("sidecar_kept_total"));
    let others = ["sidecar_sampled_out_total", "sidecar_lost_total", "sidecar_disabled_total"];
    assert_eq!(hits, kept + others.into_iter().map(count).sum::<u64>(), "{marker}");
    (hits, kept)
}

pub(crate) fn executed() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let provider = target.provider();
    let config = scratch.config(&format!("sampling: {{enabled: false}}\n{}", target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 1 2 0", "tests 3 1 1", "hit 1"])?;

    let events = scratch.wait_for_events_of(&agent, provider, 7)?;
    let of = |kind: &str| -> Vec<&serde_json::Value> {
        events.iter().filter(|event| event["event_type"] == format!("{provider}_{kind}")).collect()
    };
    assert_eq!(of("start").len(), 3);
    let ends: Vec<_> = of("end")
        .iter()
        .map(|e| {
            (e["test_id"].as_str(), e["status"].as_str(), e["duration_ms"].as_f64(), e["message"].as_str())
        })
        .collect();
    let expected = [
        (Some("test::1"), Some("passed"), Some(0.001), None),
        (Some("test::2"), Some("passed"), Some(0.002), None),
        (Some("test::3"), Some("failed"), Some(0.003), Some("it did not")),
    ];
    assert_eq!(ends, expected, "{events:?}");
    let hit = of("hit")[0];
    assert_eq!((&hit["data"]["number"], &hit["data"]["text"]), (&0.into(), &"hit number 0".into()));
    assert_eq!(
        (&hit["provider"], &hit["marker"], &hit["comm"]),
        (&provider.into(), &"hit".into(), &"target".into())
    );
    for key in ["timestamp", "signal", "pid", "tid", "cgroup_id", "sample_rate"] {
        assert!(!hit[key].is_null(), "{key}: {hit}");
    }
    let metrics = agent.metrics()?;
    for (kind, status, count) in
        [("start", "", 3), ("end", "passed", 2), ("end", "failed", 1), ("hit", "", 1)]
    {
        let event_type = format!("{provider}_{kind}");
        let labels = [("event_type", event_type.as_str()), ("status", status)];
        assert_eq!(metrics.count("sidecar_events_total", &labels), count, "{kind} {status}");
    }
    let of_end = [("provider", provider), ("marker", "end")];
    assert_eq!(metrics.count("sidecar_test_duration_seconds_count", &of_end), 3);
    assert!((metrics.value("sidecar_test_duration_seconds_sum", &of_end) - 6e-6).abs() < 1e-12);
    agent.finish()?;
    Ok(())
}

/// Whatever the rate, the counts are exact; and failures are kept.
fn sampled(rate: &str, kept: std::ops::RangeInclusive<u64>) -> Result<()> {
    const TESTS: u64 = 20_000;
    const FAILED: u64 = 500;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let provider = target.provider();
    let config =
        scratch.config(&format!("sampling: {{test_events: {rate}, events: {rate}}}\n{}", target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    let passed = TESTS - FAILED;
    target.run(&[&format!("tests 0 {passed} 0"), &format!("tests {passed} {FAILED} 1"), "hit 10000"])?;
    let metrics = agent.metrics()?;
    for (kind, status, count) in
        [("start", "", TESTS), ("end", "passed", passed), ("end", "failed", FAILED), ("hit", "", 10_000)]
    {
        let event_type = format!("{provider}_{kind}");
        let labels = [("event_type", event_type.as_str()), ("status", status)];
        assert_eq!(metrics.count("sidecar_events_total", &labels), count, "{kind} {status}");
    }
    let (hits, kept_ends) = balance(&metrics, provider, "end");
    assert_eq!(hits, TESTS);
    assert!(kept.contains(&(kept_ends - FAILED)), "{kept_ends}");
    let (hits, kept_starts) = balance(&metrics, provider, "start");
    assert_eq!(hits, TESTS);
    assert!(kept.contains(&kept_starts) || kept_starts >= kept_ends - FAILED, "{kept_starts}");
    assert_eq!(balance(&metrics, provider, "hit").0, 10_000);
    agent.finish()?;
    Ok(())
}

pub(crate) fn rate_tenth() -> Result<()> {
    // 1,950 are expected; six standard deviations are 251.
    sampled("0.1", 1699..=2201)
}

pub(crate) fn rate_zero() -> Result<()> {
    sampled("0", 0..=0)
}

pub(crate) fn endpoints() -> Result<()> {
    let scratch = Scratch::new()?;
    let agent = Agent::start(&scratch.config("")?)?;
    let livez = agent.get("/livez")?;
    assert_eq!((livez.status, livez.body.as_str()), (200, "ok\n"));
    let readyz = agent.get("/readyz?verbose")?;
    assert_eq!(readyz.status, 200);
    assert!(readyz.body.contains("[+] kernel: ") && readyz.body.contains("[+] attach: "), "{}", readyz.body);
    let health = agent.health()?;
    for component in ["attachments", "http", "kernel", "queue", "ring", "sinks"] {
        assert_eq!(health["components"][component]["status"], "healthy", "{component}: {health}");
    }
    until("a sign of life of the path of events", || {
        Ok((agent.health()?["components"]["data_path"]["status"] == "healthy").then_some(()))
    })?;
    let metrics = agent.get("/metrics")?;
    assert!(metrics.head.contains("text/plain; version=0.0.4"), "{}", metrics.head);
    assert!(metrics.body.contains("sidecar_build_info{version=\""));
    assert_eq!(agent.get("/nothing")?.status, 404);
    assert_eq!(ask(agent.port(), "POST", "/metrics")?.status, 405);
    agent.finish()?;
    Ok(())
}

/// Either signal ends it: nothing is left on the program, everything is written, and it says what it did.
fn ended_by(signal: Signal) -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let config = scratch.config(&format!("sampling: {{enabled: false}}\n{}", target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    let mut running = target.start()?;
    assert_eq!(running.ask("semaphores")?, "1 1 1");
    running.run(&["hit 1000"])?;
    let start = Instant::now();
    let (status, log) = agent.stop(signal)?;
    println!("stopped after {:?}", start.elapsed());
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(running.ask("semaphores")?, "0 0 0");
    assert_eq!(sidecar_tests::node::events(&scratch.sink())?.len(), 1000);
    assert!(log.contains(signal.as_str()) && log.contains("1000 kept, 0 sampled out, 0 lost"), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours where there is no terminal");
    running.run(&["hit 10", "tests 0 1 0"])?;
    running.finish()
}

pub(crate) fn terminated() -> Result<()> {
    ended_by(Signal::SIGTERM)
}

pub(crate) fn interrupted() -> Result<()> {
    ended_by(Signal::SIGINT)
}

/// It ends although programs go on firing: what comes after its end is not waited for.
pub(crate) fn ended_under_load() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let config = scratch.config(&format!("sampling: {{enabled: false}}\n{}", target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    let mut running = target.start()?;
    running.send("hit 20000000")?;
    let provider = target.provider();
    until("hits", || Ok((hits(&agent, provider, "hit")? > 10_000).then_some(())))?;
    let log = agent.finish()?;
    assert!(log.contains("hits: "), "{log}");
    running.kill()?;
    Ok(())
}

pub(crate) fn taken_port() -> Result<()> {
    let scratch = Scratch::new()?;
    let first = Agent::start(&scratch.config("")?)?;
    let second = Scratch::new()?;
    let mut command = command(Some(&second.config("")?))?;
    command.args(["--log-level", "debug"]);
    // The later flag counts.
    let mut command = {
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut again = std::process::Command::new(command.get_program());
        let free = std::ffi::OsString::from("127.0.0.1:0");
        let taken = std::ffi::OsString::from(format!("127.0.0.1:{}", first.port()));
        again.args(args.into_iter().map(|arg| if arg == free { taken.clone() } else { arg }));
        again
    };
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("can't listen on 127.0.0.1:{}", first.port())), "{said}");
    assert!(said.contains("http.listen") && said.contains("in use"), "{said}");
    assert!(!second.sink().exists(), "it touched nothing");
    first.finish()?;
    Ok(())
}
