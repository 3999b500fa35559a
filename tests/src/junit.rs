//! Reads the JUnit report of cargo-nextest into attempts, to compare them with what was observed.
//!
//! Where nextest 0.9.143 puts what (seen in its reports, and in its `reporter/aggregator/junit.rs`):
//!
//! - A test that failed for good: `<failure>` or `<error>`, `time` and `timestamp` of the `<testcase>` are
//!   those of the *first* attempt; `<rerunFailure>` or `<rerunError>` are the second and later ones, in order.
//! - A test that passed in the end: `time` and `timestamp` of the `<testcase>` are those of the *last* attempt;
//!   `<flakyFailure>` or `<flakyError>` are the earlier ones, in order. So it is where the profile says
//!   `flaky-result = "fail"`, which adds `<failure type="flaky failure">`.
//! - A test that was not run: `<skipped>`, only where the profile asks for it (`report-skipped`).
//! - The attribute `type` tells the failures apart: [`status_of`].
//! - `time` is the marker's `duration_ns`, rounded to milliseconds.
//!
//! What the report does not tell: that a test passed and leaked handles, and that it timed out where the
//! profile says `on-timeout = "pass"`; both look like any test that passed. What nextest's markers do not
//! tell by their result: an abort, which is `fail` there ([`as_marked`]).

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use roxmltree::{Document, Node};
use sidecar_common::Status;

/// One attempt at one test, without what differs from run to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Outcome {
    /// nextest's id of the test program: `package`, `package::test`, `package::bin/name`.
    pub binary_id: String,
    /// The test's name within its program.
    pub test: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// How it ended.
    pub status: Status,
}

/// One attempt at one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// What it was and how it ended.
    pub outcome: Outcome,
    /// How long it took, in seconds, rounded to milliseconds.
    pub seconds: f64,
    /// When it began: RFC 3339, milliseconds, with the offset from UTC.
    pub started: String,
}

/// A report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Every attempt, in the report's order.
    pub attempts: Vec<Attempt>,
    /// Program and name of each test that was not run, where the report names them.
    pub skipped: BTreeSet<(String, String)>,
}

impl Report {
    /// Every attempt without its time.
    ///
    /// # Errors
    /// When the report names an attempt twice.
    pub fn outcomes(&self) -> Result<BTreeSet<Outcome>> {
        let mut outcomes = BTreeSet::new();
        for attempt in &self.attempts {
            let new = outcomes.insert(attempt.outcome.clone());
            ensure!(new, "the report names an attempt twice: {:?}", attempt.outcome);
        }
        Ok(outcomes)
    }
}

/// The status that nextest's marker reports for an attempt: its word for an abort is that of a failure.
#[must_use]
pub fn as_marked(status: Status) -> Status {
    if status == Status::Aborted { Status::Failed } else { status }
}

/// Whether an observed duration is the report's: within 1 ms, or 1 % where that is more.
#[must_use]
pub fn agrees(reported_seconds: f64, observed_ms: f64) -> bool {
    let reported_ms = reported_seconds * 1e3;
    (observed_ms - reported_ms).abs() <= f64::max(1.0, reported_ms / 100.0)
}

/// Reads a report.
///
/// # Errors
/// When it is not XML, or holds anything that this module does not describe.
pub fn read(xml: &str) -> Result<Report> {
    let document = Document::parse(xml).context("the JUnit report is not XML")?;
    let root = document.root_element();
    ensure!(root.has_tag_name("testsuites"), "the report's root is <{}>", root.tag_name().name());
    let mut report = Report::default();
    for suite in root.children().filter(|node| node.has_tag_name("testsuite")) {
        let name = attribute(suite, "name")?;
        if name.starts_with("@setup-script:") {
            continue;
        }
        ensure!(!name.contains("@stress-"), "{name}: stress runs are not supported");
        for case in suite.children().filter(|node| node.has_tag_name("testcase")) {
            let (class, test) = (attribute(case, "classname")?, attribute(case, "name")?);
            read_case(case, class, test, &mut report).with_context(|| format!("{class} {test}"))?;
        }
    }
    Ok(report)
}

fn read_case(case: Node<'_, '_>, class: &str, test: &str, report: &mut Report) -> Result<()> {
    let children = || case.children().filter(Node::is_element);
    let tagged = |names: &[&str]| -> Vec<Node<'_, '_>> {
        children().filter(|node| names.contains(&node.tag_name().name())).collect()
    };
    let reruns = tagged(&["rerunFailure", "rerunError"]);
    let flaky = tagged(&["flakyFailure", "flakyError"]);
    let failure = tagged(&["failure", "error"]).pop();
    if let Some(other) = children().find(|node| !KNOWN.contains(&node.tag_name().name())) {
        bail!("<{}> is not expected here", other.tag_name().name());
    }
    if children().any(|node| node.has_tag_name("skipped")) {
        ensure!(report.skipped.insert((class.to_owned(), test.to_owned())), "skipped twice");
        return Ok(());
    }
    ensure!(reruns.is_empty() || flaky.is_empty(), "both flaky and failed for good");

    let mut attempts = Vec::new();
    match failure {
        Some(failure) if flaky.is_empty() => {
            attempts.push((case, status_of(attribute(failure, "type")?)?));
            for rerun in reruns {
                attempts.push((rerun, status_of(attribute(rerun, "type")?)?));
            }
        }
        Some(_) | None => {
            ensure!(reruns.is_empty(), "run again after it had passed");
            for early in flaky {
                attempts.push((early, status_of(attribute(early, "type")?)?));
            }
            attempts.push((case, Status::Passed));
        }
    }
    for (number, (node, status)) in (1..).zip(attempts) {
        let (binary_id, test) = (class.to_owned(), test.to_owned());
        let seconds = attribute(node, "time")?;
        report.attempts.push(Attempt {
            outcome: Outcome { binary_id, test, attempt: number, status },
            seconds: seconds.parse().with_context(|| format!("time=\"{seconds}\" is not a number"))?,
            started: attribute(node, "timestamp")?.to_owned(),
        });
    }
    Ok(())
}

/// What a `<testcase>` may hold.
const KNOWN: [&str; 9] = [
    "failure",
    "error",
    "skipped",
    "rerunFailure",
    "rerunError",
    "flakyFailure",
    "flakyError",
    "system-out",
    "system-err",
];

/// The status behind the attribute `type` of a failed attempt.
///
/// | type | nextest's result | status |
/// | --- | --- | --- |
/// | `test failure with exit code N` | `fail`, ended by itself | failed |
/// | `test abort` | `fail`, ended by a signal | aborted |
/// | either with ` (leaked handles)` | `fail`, a child held its output open | the same |
/// | `test timeout` | `timeout` | timeout |
/// | `test exited with code 0, but leaked handles so was marked failed` | `leak`, by the profile a failure | failed |
/// | `execution failure` | `exec-fail`; could not be started, and then no marker fires | error |
///
/// # Errors
/// When the type is none of these.
pub fn status_of(kind: &str) -> Result<Status> {
    let kind = kind.strip_suffix(" (leaked handles)").unwrap_or(kind);
    let code = kind.strip_prefix("test failure with exit code ");
    if code.is_some_and(|code| code.parse::<i32>().is_ok()) {
        return Ok(Status::Failed);
    }
    Ok(match kind {
        "test abort" => Status::Aborted,
        "test timeout" => Status::Timeout,
        "test exited with code 0, but leaked handles so was marked failed" => Status::Failed,
        "execution failure" => Status::Error,
        _ => bail!("type=\"{kind}\" is none that is known"),
    })
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str> {
    node.attribute(name).with_context(|| format!("<{}> has no attribute {name}", node.tag_name().name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = include_str!("../fixtures/nextest-junit.xml");
    const POLICIES: &str = include_str!("../fixtures/nextest-junit-policies.xml");

    fn of<'a>(report: &'a Report, test: &str) -> Vec<(Status, f64, &'a str)> {
        let attempts = report.attempts.iter().filter(|attempt| attempt.outcome.test == test).enumerate();
        attempts
            .map(|(i, attempt)| {
                assert_eq!(attempt.outcome.attempt as usize, i + 1);
                assert_eq!(attempt.outcome.binary_id, "probe-suite::a");
                (attempt.outcome.status, attempt.seconds, attempt.started.get(17..23).unwrap())
            })
            .collect()
    }

    #[test]
    fn attempts_of_a_real_report_are_in_the_order_in_which_they_ran() {
        use Status::{Aborted, Failed, Passed, Timeout};
        let report = read(REPORT).unwrap();
        assert_eq!(of(&report, "pass"), [(Passed, 0.004, "36.791")]);
        assert_eq!(of(&report, "größe_日本"), [(Passed, 0.004, "35.575")]);
        assert_eq!(of(&report, "leaks"), [(Passed, 0.105, "36.188")]);
        assert_eq!(
            of(&report, "fails"),
            [(Failed, 0.088, "35.364"), (Failed, 0.063, "35.452"), (Failed, 0.061, "35.516")]
        );
        assert_eq!(
            of(&report, "flaky3"),
            [(Failed, 0.062, "35.444"), (Failed, 0.062, "35.507"), (Passed, 0.004, "35.570")]
        );
        assert_eq!(of(&report, "aborts_once"), [(Aborted, 0.004, "35.340"), (Passed, 0.004, "35.344")]);
        assert_eq!(of(&report, "hangs_once"), [(Timeout, 0.603, "35.579"), (Passed, 0.005, "36.183")]);
        assert_eq!(of(&report, "hangs").iter().map(|attempt| attempt.0).collect::<Vec<_>>(), [Timeout; 3]);
        assert_eq!(
            of(&report, "leaks_fails").iter().map(|attempt| attempt.0).collect::<Vec<_>>(),
            [Failed; 3]
        );
        // 15 tests: 6 that failed three times, 3 with a second attempt, 1 with a third.
        assert_eq!(report.attempts.len(), 15 + 6 * 2 + 3 + 2);
        assert_eq!(report.outcomes().unwrap().len(), report.attempts.len());
        assert!(report.skipped.is_empty());
    }

    #[test]
    fn a_profile_that_judges_differently_changes_no_attempt() {
        use Status::{Failed, Passed};
        let report = read(POLICIES).unwrap();
        assert_eq!(of(&report, "flaky2"), [(Failed, 0.063, "25.890"), (Passed, 0.005, "25.954")]);
        assert_eq!(of(&report, "leaks"), [(Failed, 0.107, "25.959"), (Failed, 0.106, "26.067")]);
        assert_eq!(of(&report, "hangs"), [(Passed, 0.301, "25.890")]);
        assert_eq!(report.skipped.len(), 11);
        assert!(report.skipped.contains(&("probe-suite::a".to_owned(), "ignored".to_owned())));
    }

    #[test]
    fn every_kind_of_failure_has_a_status_and_nothing_else_has() {
        for (kind, status) in [
            ("test failure with exit code 101", Status::Failed),
            ("test failure with exit code 101 (leaked handles)", Status::Failed),
            ("test abort (leaked handles)", Status::Aborted),
            ("execution failure", Status::Error),
        ] {
            assert_eq!(status_of(kind).unwrap(), status, "{kind}");
        }
        for kind in
            ["", "flaky failure", "test failure", "test failure with exit code x", "benchmark timeout"]
        {
            assert!(status_of(kind).is_err(), "{kind}");
        }
    }

    #[test]
    fn set_up_scripts_are_no_tests() {
        let script = r#"<testsuites><testsuite name="@setup-script:db"><testcase name="db" classname="@setup-script:db"
            time="1" timestamp="t"/></testsuite></testsuites>"#;
        assert_eq!(read(script).unwrap(), Report::default());
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_never_left_out() {
        let suite =
            |inner: &str| format!(r#"<testsuites><testsuite name="a::b">{inner}</testsuite></testsuites>"#);
        let case = |inner: &str| {
            suite(&format!(
                r#"<testcase name="t" classname="a::b" time="1" timestamp="x">{inner}</testcase>"#
            ))
        };
        assert_eq!(read(&case("")).unwrap().attempts.len(), 1);
        for bad in [
            "".to_owned(),
            "<testsuites>".to_owned(),
            "<report/>".to_owned(),
            suite(r#"<testcase name="t" time="1" timestamp="x"/>"#),
            suite(r#"<testcase name="t" classname="c" timestamp="x"/>"#),
            suite(r#"<testcase name="t" classname="c" time="soon" timestamp="x"/>"#),
            suite("").replace("a::b", "a::b@stress-1"),
            case("<surprise/>"),
            case("<failure/>"),
            case(r#"<failure type="bad luck"/>"#),
            case(r#"<rerunFailure type="test abort" time="1" timestamp="x"/>"#),
            case(r#"<failure type="test abort"/><rerunFailure type="test abort"/>"#),
            case(r#"<flakyError type="test abort" time="1" timestamp="x"/><rerunError type="test abort"/>"#),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        let twice = case("").replace(
            "</testsuite>",
            r#"<testcase name="t" classname="a::b" time="1" timestamp="x"/></testsuite>"#,
        );
        assert!(read(&twice).unwrap().outcomes().is_err());
    }

    #[test]
    fn durations_agree_within_a_millisecond_or_a_hundredth() {
        assert!(agrees(0.004, 4.9) && agrees(0.004, 3.1) && !agrees(0.004, 5.1));
        assert!(agrees(10.0, 10_099.0) && !agrees(10.0, 10_101.0));
        assert_eq!(as_marked(Status::Aborted), Status::Failed);
        assert_eq!(as_marked(Status::Timeout), Status::Timeout);
    }
}
