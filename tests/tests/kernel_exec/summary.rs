//! What sidecar says at the end.

use anyhow::{Result, ensure};
use sidecar_tests::exec::Exec;
use sidecar_tests::kernel::built;

pub(crate) fn all() -> Result<()> {
    let program = built("target_tests")?.display().to_string();
    let steps = [
        "pass one::a",
        "pass one::b",
        "fail two::größe wanted 3, got 4",
        "start three::never_ends",
        "exit 1",
    ];
    let argv: Vec<&str> = std::iter::once(program.as_str()).chain(steps).collect();
    let ran = Exec::new()?.run(&argv)?;
    ran.expect_code(1)?;
    let text = ran.err();
    ensure!(text.starts_with("sidecar: 4 tests in "), "{text}");
    ensure!(!text.contains('\x1b'), "no colour where there is no terminal: {text:?}");
    for wanted in [
        "2 passed, 1 failed, 1 aborted",
        "\nFailed\n",
        "two::größe",
        "wanted 3, got 4",
        "three::never_ends",
        "its process exited with status 1 before the test had ended",
        "1 test ended with its process",
        "\nSlowest\n",
        "\nObservation\n",
        "7 kept, 0 sampled out, 0 lost, 0 dropped of 7 hits",
        "4 sites in 1 file",
        "% of one core",
    ] {
        ensure!(text.contains(wanted), "{wanted:?}: {text}");
    }
    Ok(())
}

pub(crate) fn nothing() -> Result<()> {
    let ran = Exec::new()?.run(&["true"])?;
    ran.expect_code(0)?;
    ensure!(ran.err().lines().count() == 1 && ran.said().len() == 1, "{}", ran.err());
    ensure!(ran.said()[0].contains("no program with markers ran"), "{}", ran.err());
    Ok(())
}

pub(crate) fn when() -> Result<()> {
    let program = built("target_tests")?.display().to_string();
    let never = Exec::new()?.flags(&["--summary", "never"]).run(&[program.as_str(), "fail a no"])?;
    ensure!(never.err().is_empty() && never.events.len() == 2, "{}", never.err());
    let always = Exec::new()?.flags(&["--summary", "always"]).run(&["true"])?;
    ensure!(always.err().starts_with("sidecar: no test in "), "{}", always.err());
    Ok(())
}
