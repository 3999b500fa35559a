//! What the tests of the clients share: a framework's own report beside what the agent saw of the same run, and the
//! fates of an agent, of which a suite may notice none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::exec::{Started, finish};
use crate::junit::agrees;
use crate::node::{Agent, scratch::Scratch};

/// One attempt at one test, as the framework's report has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// The test's full id, as the client tells it.
    pub test_id: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// How it ended: a word of `sidecar_common::Status`.
    pub status: String,
    /// How long it took, in seconds, where the report says it.
    pub seconds: Option<f64>,
}

/// Checks that the events tell what the report tells: the same attempts, each with one start and one end, the same
/// outcomes, the durations within 1 ms or 1 %, and one run.
///
/// # Errors
/// With all that differs.
pub fn expect_same(reported: &[Reported], events: &[Value]) -> Result<()> {
    ensure!(!reported.is_empty(), "the report tells of no test");
    let ends: Vec<&Value> = events.iter().filter(|event| event.get("status").is_some()).collect();
    let starts: Vec<&Value> = events.iter().filter(|event| event["event_type"] == "test_start").collect();

    let mut wrong: Vec<String> = Vec::new();
    let seen = by_attempt(&ends, &mut wrong);
    let begun = by_attempt(&starts, &mut wrong);
    let mut named = BTreeSet::new();
    for one in reported {
        let key = (one.test_id.clone(), u64::from(one.attempt));
        if !named.insert(key.clone()) {
            wrong.push(format!("reported twice: {key:?}"));
        }
        if !begun.contains_key(&key) {
            wrong.push(format!("no start was seen of {key:?}"));
        }
        let Some(end) = seen.get(&key) else {
            wrong.push(format!("no end was seen of {one:?}"));
            continue;
        };
        if end["status"] != one.status.as_str() {
            wrong.push(format!("reported {one:?}, seen {end}"));
        }
        if let Some(seconds) = one.seconds {
            let observed = end["duration_ms"].as_f64().unwrap_or(f64::NAN);
            if !agrees(seconds, observed) {
                wrong
                    .push(format!("{key:?} took {seconds} s by the report, and {observed} ms by the marker"));
            }
        }
    }
    for key in seen.keys().chain(begun.keys()).filter(|key| !named.contains(*key)) {
        wrong.push(format!("the report knows nothing of {key:?}"));
    }
    let runs: BTreeSet<&str> = starts.iter().filter_map(|start| start["run_id"].as_str()).collect();
    if runs.len() != 1 {
        wrong.push(format!("one run has these ids: {runs:?}"));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Events by test id and attempt; an attempt that none tells is the first.
fn by_attempt<'a>(events: &[&'a Value], wrong: &mut Vec<String>) -> BTreeMap<(String, u64), &'a Value> {
    let mut by = BTreeMap::new();
    for event in events {
        let key = (
            event["test_id"].as_str().unwrap_or_default().to_owned(),
            event["attempt"].as_u64().unwrap_or(1),
        );
        if by.insert(key.clone(), *event).is_some() {
            wrong.push(format!("{} was seen twice of {key:?}", event["event_type"]));
        }
    }
    by
}

/// What becomes of the agent while a suite runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There is none.
    Absent,
    /// It watches.
    Running,
    /// It is killed at a random moment.
    Killed,
    /// It is stopped by SIGSTOP before the suite starts, and stays so.
    Stopped,
}

impl Fate {
    /// All, the one to compare with first.
    pub const ALL: [Self; 4] = [Self::Absent, Self::Running, Self::Killed, Self::Stopped];
}

/// Runs a suite in every fate of the agent and checks that it ends with the same exit code and the same report.
///
/// `suite` makes the command, anew for each; `report` makes of the ended suite what has to be the same: its outcomes,
/// without the times.
///
/// # Errors
/// When something differs, with the fate in which it did.
pub fn expect_same_in_every_fate<R: PartialEq + Debug>(
    suite: impl Fn(Fate) -> Result<Command>,
    report: impl Fn(Fate, &Output) -> Result<R>,
) -> Result<()> {
    let begun = Instant::now();
    let plain = finish(&mut suite(Fate::Absent)?)?;
    let took = begun.elapsed();
    let expected = report(Fate::Absent, &plain).with_context(|| told(&plain))?;
    for fate in &Fate::ALL[1..] {
        let output = under(*fate, &mut suite(*fate)?, took).with_context(|| format!("{fate:?}"))?;
        ensure!(
            output.status.code() == plain.status.code(),
            "{fate:?}: it ended with {}, and without an agent with {}\n{}",
            output.status,
            plain.status,
            told(&output)
        );
        let seen = report(*fate, &output).with_context(|| format!("{fate:?}: {}", told(&output)))?;
        ensure!(seen == expected, "{fate:?}: {seen:?}\nwithout an agent: {expected:?}");
    }
    Ok(())
}

/// Runs a suite that takes about so long beside an agent with this fate.
fn under(fate: Fate, suite: &mut Command, about: Duration) -> Result<Output> {
    let scratch = Scratch::new()?;
    let agent = Agent::start(&scratch.config("sampling: {enabled: false}\n")?)?;
    match fate {
        Fate::Absent => {
            agent.finish()?;
            finish(suite)
        }
        Fate::Running => {
            let output = finish(suite)?;
            agent.finish()?;
            Ok(output)
        }
        Fate::Killed => {
            let started = Started::new(suite)?;
            std::thread::sleep(about.mul_f64(random()));
            agent.stop(Signal::SIGKILL)?;
            started.finish()
        }
        Fate::Stopped => {
            agent.signal(Signal::SIGSTOP)?;
            let output = finish(suite)?;
            agent.signal(Signal::SIGCONT)?;
            agent.finish()?;
            Ok(output)
        }
    }
}

/// A part of 1, good enough for a moment that nobody has chosen.
fn random() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    f64::from(now.subsec_nanos() % 1_000) / 1_000.0
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\nout: {}\nerr: {}", output.status, text(&output.stdout), text(&output.stderr))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reported(test_id: &str, status: &str, seconds: f64) -> Reported {
        Reported { test_id: test_id.into(), attempt: 1, status: status.into(), seconds: Some(seconds) }
    }

    fn start(test_id: &str) -> Value {
        json!({"event_type": "test_start", "test_id": test_id, "run_id": "r", "attempt": 1})
    }

    fn end(test_id: &str, status: &str, duration_ms: f64) -> Value {
        json!({"event_type": "test_end", "test_id": test_id, "attempt": 1, "status": status, "duration_ms": duration_ms})
    }

    #[test]
    fn the_same_is_the_same() {
        let events = [start("a"), end("a", "passed", 1.9), start("b"), end("b", "failed", 2_010.0)];
        expect_same(&[reported("b", "failed", 2.0), reported("a", "passed", 0.001)], &events).unwrap();
    }

    #[test]
    fn each_difference_is_told() {
        let good = [start("a"), end("a", "passed", 1.0)];
        let report = [reported("a", "passed", 0.001)];
        let bad: [(&[Reported], Vec<Value>, &str); 8] = [
            (&[], good.to_vec(), "no test"),
            (&report, vec![start("a")], "no end"),
            (&report, vec![end("a", "passed", 1.0)], "no start"),
            (&report, vec![start("a"), end("a", "failed", 1.0)], "reported"),
            (&report, vec![start("a"), end("a", "passed", 9.0)], "took"),
            (&report, [&good[..], &good[..]].concat(), "seen twice"),
            (&report, [&good[..], &[start("b"), end("b", "passed", 1.0)]].concat(), "knows nothing"),
            (&[report[0].clone(), report[0].clone()], good.to_vec(), "reported twice"),
        ];
        for (report, events, text) in bad {
            let error = expect_same(report, &events).unwrap_err().to_string();
            assert!(error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn two_run_ids_are_one_too_many() {
        let mut other = start("b");
        other["run_id"] = json!("other");
        let events = [start("a"), end("a", "passed", 1.0), other, end("b", "passed", 1.0)];
        let report = [reported("a", "passed", 0.001), reported("b", "passed", 0.001)];
        assert!(expect_same(&report, &events).unwrap_err().to_string().contains("one run"));
    }
}
