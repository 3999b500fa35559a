//! The guards and macros of Rust programs.

use anyhow::{Result, ensure};
use serde_json::Value;
use sidecar_tests::exec::{Exec, Ran};
use sidecar_tests::kernel::program::Program;

use crate::{Body, Checked, expect_counts};

/// This file's tests.
pub(crate) fn tests() -> Vec<(String, Body)> {
    let checks: [Checked; 5] = [
        ("markers_fire_while_a_thread_unwinds", "unwinding", unwinding),
        ("a_test_within_a_test_has_an_end_of_its_own", "nested", nested),
        ("a_forgotten_guard_ends_with_its_process_and_harms_no_other", "forgotten", forgotten),
        ("a_guard_ends_with_its_thread", "thread_exit", thread_exit),
        ("parent_and_child_end_what_they_share", "forked", forked),
    ];
    let test = |(name, verb, check): Checked| {
        let body = move || {
            let program = Program::copy("target_guards")?;
            let ran = Exec::new()?.run(&[program.path().to_string_lossy().as_ref(), verb])?;
            ran.expect_code(0)?;
            check(&ran)
        };
        (name.to_owned(), Box::new(body) as Body)
    };
    checks.into_iter().map(test).collect()
}

/// The one end of a test.
fn end<'a>(ran: &'a Ran, id: &str) -> Result<&'a Value> {
    let ends: Vec<_> = ran.ends().into_iter().filter(|event| event["test_id"] == id).collect();
    ensure!(ends.len() == 1, "{} ends of {id}: {:?}", ends.len(), ran.events);
    Ok(ends[0])
}

fn unwinding(ran: &Ran) -> Result<()> {
    expect_counts(ran, &[("test_start", 1), ("late", 1), ("anomaly", 1), ("test_failure", 1), ("after", 1)])?;
    let end = end(ran, "unwinding")?;
    ensure!(end["status"] == "failed" && end["message"] == "panicked", "{end}");
    ensure!(ran.of_type("after")[0].to_string().contains("panicked"), "{:?}", ran.of_type("after"));
    Ok(())
}

fn nested(ran: &Ran) -> Result<()> {
    expect_counts(ran, &[("test_start", 2), ("test_failure", 1), ("between", 1), ("test_end", 1)])?;
    ensure!(end(ran, "outer")?["status"] == "passed", "{:?}", ran.events);
    let inner = end(ran, "inner")?;
    ensure!(inner["status"] == "failed" && inner["message"] == "inner alone", "{inner}");
    ensure!(ran.of_type("between")[0]["test_id"] == "outer", "{:?}", ran.events);
    Ok(())
}

fn forgotten(ran: &Ran) -> Result<()> {
    expect_counts(ran, &[("test_start", 2), ("test_end", 1), ("test_failure", 1)])?;
    ensure!(end(ran, "next")?["status"] == "passed", "{:?}", ran.events);
    // The process ends without its end.
    let left = end(ran, "forgotten")?;
    ensure!(left["status"] == "aborted" && left["data"]["exit_status"] == 0, "{left}");
    Ok(())
}

fn thread_exit(ran: &Ran) -> Result<()> {
    expect_counts(ran, &[("test_start", 1), ("test_end", 1), ("joined", 1)])?;
    ensure!(end(ran, "thread_exit")?["status"] == "passed", "{:?}", ran.events);
    Ok(())
}

fn forked(ran: &Ran) -> Result<()> {
    expect_counts(ran, &[("test_start", 1), ("test_failure", 1), ("child", 1), ("test_end", 1)])?;
    let failure = ran.of_type("test_failure")[0];
    ensure!(failure["message"] == "in the child", "{failure}");
    ensure!(failure["pid"] != ran.of_type("test_end")[0]["pid"], "{:?}", ran.events);
    Ok(())
}
