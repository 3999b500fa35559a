//! Markers of programs that know nothing of sidecar, mapped by config.

use std::process::Command;

use anyhow::{Context, Result};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

/// An argument that nobody can read is missing in the event; its neighbours are there.
pub(crate) fn unread_argument() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent =
        Agent::start(&scratch.config(&format!("sampling: {{enabled: false}}\n{}", target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["odd"])?;
    let event = scratch.wait_for_events_of(&agent, target.provider(), 1)?.remove(0);
    assert_eq!((&event["data"]["first"], &event["data"]["third"]), (&1.into(), &"three".into()), "{event}");
    assert!(event["data"]["second"].is_null(), "{event}");
    agent.finish()?;
    Ok(())
}

/// Status values, an own signal with an own rate, and a marker that nobody mapped.
pub(crate) fn status_and_signal() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let provider = target.provider();
    let section = format!(
        "sampling: {{mine: 1, test_events: 0}}
probes:
  - provider: {provider}
    marker: end
    event: test_end
    signal: mine
    event_type: {provider}_end
    args: [{{role: test_id, type: string}}, status, {{role: duration, unit: us}}, message]
    status: {{0: xfail, 3: aborted}}
"
    );
    let agent = Agent::start(&scratch.config(&section)?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 5 1 0", "tests 6 1 3", "tests 7 1 4", "hit 10"])?;
    let events = scratch.wait_for_events_of(&agent, target.provider(), 3)?;
    let found: Vec<_> = events
        .iter()
        .map(|e| {
            (e["test_id"].as_str(), e["status"].as_str(), e["duration_ms"].as_f64(), e["signal"].as_str())
        })
        .collect();
    let expected = [
        (Some("test::5"), Some("xfail"), Some(5.0), Some("mine")),
        (Some("test::6"), Some("aborted"), Some(6.0), Some("mine")),
        (Some("test::7"), Some("unknown"), Some(7.0), Some("mine")),
    ];
    assert_eq!(found, expected, "{events:?}");
    assert_eq!(balance(&agent.metrics()?, provider, "end"), (3, 3));
    agent.finish()?;
    Ok(())
}

/// A marker of a library that every C++ program has: one exception, one event.
pub(crate) fn libstdcxx() -> Result<()> {
    let scratch = Scratch::new()?;
    let source = scratch.path("throw.cc");
    std::fs::write(
        &source,
        "#include <cstdio>\nint main() { char c; puts(\"ready\"); fflush(stdout);
         while (fread(&c, 1, 1, stdin) == 1) if (c == 'x') { try { throw 1; } catch (int) {} puts(\"ok\"); fflush(stdout); } }",
    )?;
    let program = scratch.path("throw");
    let status =
        Command::new("c++").arg("-o").arg(&program).arg(&source).status().context("running `c++`")?;
    assert!(status.success());
    // A copy of the library, which other programs on this machine do not use.
    let found = Command::new("c++").arg("-print-file-name=libstdc++.so.6").output()?;
    let library = scratch.path("libstdc++.so.6");
    std::fs::copy(String::from_utf8(found.stdout)?.trim(), &library)?;
    let section = format!(
        "sampling: {{enabled: false}}
discovery: {{libraries: ['{}']}}
probes:
  - {{provider: libstdcxx, marker: throw, event_type: thrown}}
",
        library.display()
    );
    let agent = Agent::start(&scratch.config(&section)?)?;
    let mut command = Command::new(&program);
    command.env("LD_LIBRARY_PATH", scratch.path(""));
    let mut running = sidecar_tests::kernel::program::Running::start(&mut command)?;
    assert_eq!(running.ask("x")?, "ok");
    let metrics = until("the exception", || {
        let metrics = agent.metrics()?;
        Ok((metrics.count("sidecar_events_total", &[("event_type", "thrown")]) > 0).then_some(metrics))
    })?;
    assert_eq!(balance(&metrics, "libstdcxx", "throw"), (1, 1));
    running.finish()?;
    agent.finish()?;
    Ok(())
}
