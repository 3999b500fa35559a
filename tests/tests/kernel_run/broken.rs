//! Reloads of files that can't be used: the answer, the log and health name the place, and the old configuration stays.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command};

/// Longest reload of a file that is refused, on a machine that others use too.
const SOON: Duration = Duration::from_secs(20);

/// What the answer has to tell.
#[derive(Default)]
struct Told<'t> {
    line: Option<u64>,
    column: Option<u64>,
    key: Option<&'t str>,
    reason: &'t str,
}

struct Bench {
    agent: Agent,
    control: Control,
    path: std::path::PathBuf,
    good: String,
    refused: u64,
}

impl Bench {
    fn start(scratch: &Scratch) -> Result<Self> {
        let path = scratch.path("reload.yml");
        let sink = scratch.sink();
        let good = format!(
            "{}sampling:\n  events: 0.5\nsinks: [{{type: jsonl, path: {}}}]\nreload: {{watch: false}}\n",
            section(scratch),
            sink.display()
        );
        fs::write(&path, &good)?;
        // What a file names by `${...}` is the agent's own environment, which no reload changes.
        let agent = Agent::spawn(command(Some(&path))?.env("RELOAD_RATE", "many"))?.ready()?;
        Ok(Self { agent, control: Control::of(scratch), path, good, refused: 0 })
    }

    /// Reloads by POST, which has to be refused so.
    fn refused(&mut self, what: &str, told: &Told<'_>) -> Result<Value> {
        let begun = std::time::Instant::now();
        let answer = self.control.ask("POST", "/api/v1/config/reload", "")?;
        ensure!(begun.elapsed() < SOON, "{what}: {:?}", begun.elapsed());
        self.refused += 1;
        ensure!(answer.status == 422, "{what}: {answer:?}");
        let answer: Value = serde_json::from_str(&answer.body)?;
        let wanted = json!({"line": told.line, "column": told.column, "key": told.key});
        let found = json!({"line": answer["line"], "column": answer["column"], "key": answer["key"]});
        ensure!(found == wanted, "{what}: {answer}");
        ensure!(answer["file"] == self.path.display().to_string(), "{what}: {answer}");
        let reason = answer["reason"].as_str().context("a reason")?;
        ensure!(reason.contains(told.reason), "{what}: {answer}");

        // Health has the same parts, and so has the log, in one line.
        let health = self.agent.health()?;
        let config = &health["components"]["config"];
        ensure!(health["status"] == "degraded" && config["status"] == "degraded", "{what}: {health}");
        for part in ["file", "line", "column", "key", "reason"] {
            ensure!(config["fault"].get(part) == answer.get(part), "{what}: {part}: {config}");
        }
        ensure!(config["refused"] == self.refused, "{what}: {config}");
        let error = answer["error"].as_str().context("an error")?;
        self.agent.wait_for_log(error).with_context(|| what.to_owned())?;
        ensure!(self.control.key("sampling.events")? == "0.5", "{what}: the old one stays");
        Ok(answer)
    }

    /// Writes a file that is refused.
    fn writes(&mut self, text: &str, told: &Told<'_>) -> Result<Value> {
        fs::write(&self.path, text)?;
        self.refused(text, told)
    }

    fn recovers(&mut self) -> Result<()> {
        fs::write(&self.path, &self.good)?;
        self.control.json("POST", "/api/v1/config/reload", "")?;
        let config = self.agent.health()?["components"]["config"].clone();
        ensure!(config["status"] == "healthy" && config.get("fault").is_none(), "{config}");
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir(path)?;
    } else {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Values that are none: at line 3 of the good file.
pub(crate) fn values() -> Result<()> {
    let scratch = Scratch::new()?;
    let mut bench = Bench::start(&scratch)?;
    let good = bench.good.clone();
    for (rate, reason) in [
        ("7", "7 is out of range: wants 0 to 1"),
        (".nan", "NaN is out of range: wants 0 to 1"),
        ("-1", "-1 is out of range: wants 0 to 1"),
        ("${RELOAD_NOTHING}", "the environment variable RELOAD_NOTHING is not set"),
        ("${RELOAD_RATE}", "wants a number from 0 to 1, not the text `many`"),
        ("${RELOAD_RATE", "wants ${NAME}"),
    ] {
        let text = good.replace("events: 0.5", &format!("events: {rate}"));
        let told = Told { line: Some(3), key: Some("sampling.events"), reason, ..Told::default() };
        bench.writes(&text, &told)?;
    }
    for (right, wrong, line, reason) in [
        ("sampling:", "samplign:", 2, "unknown key; did you mean `sampling`?"),
        ("events:", "evnets:", 3, "is too like `events` to be a signal of its own"),
    ] {
        let key = if line == 2 { "samplign" } else { "sampling.evnets" };
        let told = Told { line: Some(line), key: Some(key), reason, ..Told::default() };
        bench.writes(&good.replace(right, wrong), &told)?;
    }
    // In a list, with the place of the element.
    let told = Told {
        line: Some(6),
        key: Some("handlers[0].path"),
        reason: "is no absolute path of a file",
        ..Told::default()
    };
    bench.writes(&format!("{good}handlers: [{{type: jsonl, path: /tmp/}}]\n"), &told)?;
    // Right, but not for an agent that runs.
    let told = Told {
        line: Some(6),
        key: Some("discovery.ring_bytes"),
        reason: "needs a restart",
        ..Told::default()
    };
    let answer = bench.writes(&format!("{good}discovery: {{ring_bytes: 65536}}\n"), &told)?;
    assert_eq!(answer["needs_restart"], json!(["discovery.ring_bytes"]));
    bench.recovers()?;
    bench.agent.finish()?;
    Ok(())
}

/// Files that are none.
pub(crate) fn files() -> Result<()> {
    let scratch = Scratch::new()?;
    let mut bench = Bench::start(&scratch)?;
    let good = bench.good.clone();
    // A tab where YAML has none, with its column.
    let told = Told {
        line: Some(3),
        column: Some(1),
        reason: "a tab where only spaces may indent",
        ..Told::default()
    };
    bench.writes(&good.replace("  events: 0.5", "\tevents: 0.5"), &told)?;
    // Ten levels of ten aliases each.
    let mut bomb = format!("{good}probes:\n- &l0 [x]\n");
    for level in 1..=9 {
        let aliases = vec![format!("*l{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("- &l{level} [{aliases}]\n"));
    }
    let before = bench.agent.rss()?;
    // Which of the aliases is too much the parser does not tell.
    bench.writes(&bomb, &Told { reason: "its aliases stand for too many values", ..Told::default() })?;

    remove(&bench.path)?;
    bench.refused("a file that vanished", &Told { reason: "No such file", ..Told::default() })?;
    fs::create_dir(&bench.path)?;
    bench.refused("a directory", &Told { reason: "no regular file", ..Told::default() })?;
    remove(&bench.path)?;
    File::create(&bench.path)?.set_len(100 << 20)?;
    bench.refused("a file of 100 MB", &Told { reason: "longer than", ..Told::default() })?;
    let after = bench.agent.rss()?;
    assert!(after < before + (20 << 20), "{before} bytes of memory before, {after} after");
    fs::write(&bench.path, b"sampling: {events: 0.5} # \xe9\n")?;
    bench.refused("no UTF-8", &Told { reason: "UTF-8", ..Told::default() })?;
    bench.recovers()?;
    bench.agent.finish()?;
    Ok(())
}
