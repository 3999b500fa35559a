//! The preset for googletest against the real one, linked in and as a shared library.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::node::control::section;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};

use crate::basics::balance;
use crate::presets::run;

/// Debian's package has the static library alone, and with it its source.
pub(crate) const SOURCE: &str = "/usr/src/googletest/googletest/src/gtest-all.cc";

/// What comes of each test in each of two rounds.
const EXPECTED: [(&str, [&str; 2]); 14] = [
    ("Cart$AddsUp", ["passed"; 2]),
    ("Cart$IsWrong", ["failed"; 2]),
    ("Cart$SucceedsAndFails", ["failed"; 2]),
    ("Cart$SucceedsOften", ["passed"; 2]),
    ("Cart$SucceedsOftenAndFails", ["failed"; 2]),
    ("Cart$TakesItsTime", ["passed"; 2]),
    ("Checkout$IsLeftOut", ["skipped"; 2]),
    ("Checkout$Stops", ["failed"; 2]),
    ("Checkout$Throws", ["failed"; 2]),
    ("LeftOut$Fails", ["failed"; 2]),
    ("LeftOut$Skips", ["skipped"; 2]),
    ("Rounds$FirstFails", ["failed", "passed"]),
    ("Some/Numbers$AreEven/0", ["passed"; 2]),
    ("Some/Numbers$AreEven/1", ["failed"; 2]),
];

fn compiler(to: &Path) -> Command {
    let mut command = Command::new("g++");
    command.args(["-std=c++14", "-O1", "-o"]).arg(to);
    command
}

fn built(command: &mut Command) -> Result<()> {
    let output = command.output().context("running `g++`")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Name, outcome and duration of every test, by the static library of Debian's package.
pub(crate) fn linked_in() -> Result<()> {
    let scratch = Scratch::new()?;
    let program = scratch.path("gtest-program");
    built(compiler(&program).arg(tests()).args(["-lgtest", "-lpthread"]))?;
    told(&scratch, &program, &program)
}

/// The same by a shared library, which the program finds when it starts.
pub(crate) fn shared() -> Result<()> {
    let scratch = Scratch::new()?;
    let (program, library) = (scratch.path("gtest-program"), scratch.path("libgtest.so.1.12.1"));
    let mut command = compiler(&library);
    command.args(["-shared", "-fPIC", "-DGTEST_CREATE_SHARED_LIBRARY=1", "-Wl,-soname,libgtest.so.1.12.1"]);
    built(command.args(["-I/usr/src/googletest/googletest", SOURCE, "-lpthread"]))?;
    let mut command = compiler(&program);
    command.arg("-DGTEST_LINKED_AS_SHARED_LIBRARY=1").arg(tests()).arg(&library);
    built(command.arg(format!("-Wl,-rpath,{}", scratch.path("").display())).arg("-lpthread"))?;
    told(&scratch, &program, &library)
}

fn tests() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel_run/googletest.cc")
}

fn told(scratch: &Scratch, program: &Path, file: &Path) -> Result<()> {
    let lines = format!("{}sampling: {{enabled: false}}\npresets: [googletest]\n", section(scratch));
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let mut command = Command::new(program);
    let pid = run(&agent, command.args(["--gtest_repeat=2", "--gtest_color=no"]), file)?;
    let rounds = 2 * EXPECTED.len();
    // Another test's googletest may run beside.
    let events = until("both rounds are told", || {
        let mut found = events(&scratch.sink())?;
        found.retain(|event| event["provider"] == "googletest" && event["pid"] == pid);
        Ok((found.len() >= 2 * rounds).then_some(found))
    })
    .with_context(|| agent.log())?;
    assert_eq!(events.len(), 2 * rounds, "a start and an end of each");
    let (outcomes, messages) = outcomes(&events)?;
    let expected = EXPECTED.map(|(id, outcomes)| (id.to_owned(), outcomes.map(str::to_owned).to_vec()));
    assert_eq!(outcomes, BTreeMap::from(expected));
    for (id, message) in [
        ("Cart$IsWrong", "the sum is off"),
        ("Cart$SucceedsAndFails", "the total is off"),
        ("Cart$SucceedsOftenAndFails", "after all"),
        ("Checkout$IsLeftOut", "not here"),
        ("LeftOut$Fails", "cannot clean up"),
    ] {
        assert!(messages[id].contains(message), "{id}: {messages:?}");
    }
    assert!(!messages.contains_key("Cart$AddsUp"), "{messages:?}");
    assert!(!messages.contains_key("Cart$SucceedsOften"), "{messages:?}");
    let (hits, kept) = balance(&agent.metrics()?, "googletest", "test_end");
    ensure!(hits >= rounds as u64 && kept == hits, "{hits} hits, {kept} kept");
    agent.finish()?;
    Ok(())
}

type Told = (BTreeMap<String, Vec<String>>, BTreeMap<String, String>);

/// The statuses of each test in turn, and its last message.
fn outcomes(events: &[Value]) -> Result<Told> {
    let mut told = Told::default();
    for event in events {
        let id = event["test_id"].as_str().context("a test id")?.to_owned();
        match event["event_type"].as_str() {
            Some("test_start") => continue,
            Some("test_end" | "test_failure") => {}
            other => anyhow::bail!("{other:?}"),
        }
        let took = event["duration_ms"].as_f64().context("a duration")?;
        ensure!(took < 60_000.0 && (id != "Cart$TakesItsTime" || took >= 25.0), "{event}");
        let status = event["status"].as_str().context("a status")?;
        if let Some(message) = event["message"].as_str() {
            told.1.insert(id.clone(), message.to_owned());
        }
        told.0.entry(id).or_default().push(status.to_owned());
    }
    Ok(told)
}
