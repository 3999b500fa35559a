//! What a program may pass by mistake, threads and forks, and an addon that is not there.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use sidecar_tests::exec::{Ran, finish};

use crate::setup;

fn node(script: &str) -> Result<Ran> {
    let exec = setup::exec()?;
    let ran = exec.ran(finish(&mut setup::within(exec.command(&["node", "-e", script])?, "node-test")?)?)?;
    ran.expect_code(0)?;
    Ok(ran)
}

const ODD: &str = r#"
const { anomaly, event, status } = require('sidecar-node');
const { start, end } = require('../../node_modules/sidecar-node/lib/teller.js');
const cycle = {}; cycle.self = cycle;
const bad = { toString() { throw new Error('no text'); }, toJSON() { throw new Error('no JSON'); } };
event('surrogate', { text: 'a\ud800b', escaped: 'c:\\ud800', '\udfff': 1 });
event('nul', 'before\0after', { testId: 'id\0rest' });
event('long', 'x'.repeat(1 << 20), { testId: 'y'.repeat(1 << 20) });
event('bigint', 5n); event('cycle', cycle); event('bad', bad); event('function', () => 1);
event(bad, bad, bad); event(); event(null, null, null); event(Symbol('s'), Symbol('t'));
anomaly(undefined, bad); anomaly('events', 'odd');
for (const [i, ms] of [NaN, -1, Infinity, undefined, 'x', 2.5].entries()) {
  start({ id: `duration ${i}`, suite: 's' });
  end({ id: `duration ${i}`, status: 'passed', milliseconds: ms, message: bad, info: { file: 'f'.repeat(1 << 20), line: 7 } });
}
console.log(JSON.stringify(status()));
"#;

/// Odd values arrive as far as they go.
pub(crate) fn odd() -> Result<()> {
    let ran = node(ODD)?;
    let status: Value = serde_json::from_str(ran.out().lines().next().unwrap_or_default())?;
    ensure!(status["available"] == true && status["listening"] == true, "{status}");
    // A BigInt, a cycle, what has no JSON, a function, that again as the data of an event, and a symbol.
    ensure!(status["kept_as_text"] == 6, "{status}");
    let of = |event_type: &str| ran.of_type(event_type).first().map_or(Value::Null, |event| (*event).clone());
    let surrogate = json!({"text": "a\u{fffd}b", "escaped": "c:\\ud800", "\u{fffd}": 1});
    ensure!(of("surrogate")["data"] == surrogate, "{}", of("surrogate"));
    ensure!(of("nul")["test_id"] == "id", "{}", of("nul"));
    ensure!(of("long")["test_id"].as_str().is_some_and(|id| id.starts_with("yyy")), "{}", of("long"));
    for (event_type, text) in
        [("bigint", "5"), ("cycle", "[object Object]"), ("bad", "(a value without a text)")]
    {
        ensure!(of(event_type).to_string().contains(text), "{event_type}: {}", of(event_type));
    }
    let milliseconds: Vec<f64> =
        ran.of_type("test_end").iter().filter_map(|end| end["duration_ms"].as_f64()).collect();
    ensure!(milliseconds == [0.0, 0.0, 0.0, 0.0, 0.0, 2.5], "{milliseconds:?}");
    for info in ran.of_type("test_info") {
        ensure!(info["data"]["line"] == 7 && info["data"]["file"].as_str().is_some(), "{info}");
    }
    Ok(())
}

const THREADS: &str = r#"
const { event } = require('sidecar-node');
const { Worker } = require('node:worker_threads');
const { fork } = require('node:child_process');
const vm = require('node:vm');
const code = `require('sidecar-node').event('thread', {})`;
for (let i = 0; i < 4; i++) new Worker(code, { eval: true });
if (!process.env.CHILD) {
  event('parent', {});
  require('node:fs').writeFileSync(process.env.TMPFILE, "require(process.argv[2]).event('fork', {})");
  for (let i = 0; i < 3; i++) fork(process.env.TMPFILE, [require.resolve('sidecar-node')]);
}
"#;

/// Threads load the addon each for itself, and so do processes.
pub(crate) fn threads() -> Result<()> {
    let exec = setup::exec()?;
    let mut command = setup::within(exec.command(&["node", "-e", THREADS])?, "node-test")?;
    command.env("TMPFILE", exec.folder().join("child.js"));
    let ran = exec.ran(finish(&mut command)?)?;
    ran.expect_code(0)?;
    let count = |event_type: &str| ran.of_type(event_type).len();
    ensure!(
        (count("parent"), count("thread"), count("fork")) == (1, 4, 3),
        "{:?}\n{}",
        ran.events,
        ran.err()
    );
    let runs: BTreeSet<&str> = ran.events.iter().filter_map(|event| event["run_id"].as_str()).collect();
    ensure!(runs.len() == 1, "{runs:?}");
    Ok(())
}

/// A client whose addon was not built, and one that is switched off, say why and do nothing.
pub(crate) fn no_addon() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let package = setup::addon()?.with_file_name("");
    let status = Command::new("cp").arg("-r").arg(package).arg(folder.path().join("client")).status()?;
    ensure!(status.success(), "cp: {status}");
    std::fs::remove_file(folder.path().join("client/sidecar_native.node"))?;
    let script = "const s = require('./client'); console.log(s.event('x', {}), s.anomaly('a', 'b'), s.status().reason)";
    for (enabled, reason) in
        [("true", "false false the addon can't be loaded"), ("false", "false false switched off")]
    {
        let mut command = Command::new("node");
        command.args(["-e", script]).current_dir(folder.path()).env("SIDECAR_ENABLED", enabled);
        let output = finish(&mut command)?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success() && out.starts_with(reason), "{}: {out}", output.status);
        ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
