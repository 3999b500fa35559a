//! Vitest beside its own JSON report.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sidecar_tests::client::{Fate, expect_same, expect_same_in_every_fate};
use sidecar_tests::exec::finish;
use sidecar_tests::node::scratch::Scratch;

use crate::{jest, setup};

fn argv(report: &Path) -> Result<Vec<String>> {
    let program = setup::folder()?.join("node_modules/vitest/vitest.mjs").display().to_string();
    let output = format!("--outputFile={}", report.display());
    let words = ["run", "--reporter=default", "--reporter=sidecar-node/vitest", "--reporter=json", &output];
    Ok(["node", &program].into_iter().chain(words).map(str::to_owned).collect())
}

/// The same tests, outcomes and durations.
pub(crate) fn same() -> Result<()> {
    let exec = setup::exec()?;
    let report = exec.folder().join("vitest.json");
    let ran = exec.ran(finish(&mut setup::within(exec.command(&argv(&report)?)?, "vitest")?)?)?;
    ran.expect_code(1)?;
    let mut reported = jest::read(&report)?;
    for one in &mut reported {
        // The report shows a test that fails as expected as one that passed, leaves out why one failed that timed out,
        // and gives a time to what was skipped.
        for (test, status) in [("::fails as expected", "xfail"), ("::times out", "timeout")] {
            if one.test_id.ends_with(test) {
                one.status = status.to_owned();
            }
        }
        one.seconds = one.seconds.filter(|_| one.status != "skipped");
    }
    expect_same(&reported, &ran.events).with_context(|| ran.err())
}

/// The same status and report, whatever becomes of the agent.
pub(crate) fn fates() -> Result<()> {
    let scratch = Scratch::new()?;
    let report = |fate: Fate| scratch.path(&format!("{fate:?}.json"));
    let suite = |fate| {
        let words = argv(&report(fate))?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        setup::within(command, "vitest")
    };
    expect_same_in_every_fate(suite, |fate, _| {
        let mut outcomes: Vec<_> =
            jest::read(&report(fate))?.into_iter().map(|one| (one.test_id, one.status)).collect();
        // Two workers: the order of the files is by chance.
        outcomes.sort();
        Ok(outcomes)
    })
}
