//! Attaching by perf events, as on kernels before 6.6: asked for by the environment, so that any kernel can show it.

use anyhow::{Result, ensure};
use sidecar_tests::exec::{Exec, finish};
use sidecar_tests::kernel::built;
use sidecar_tests::kernel::program::Program;

/// Leaves `uprobe_multi` unused.
const VARIABLE: (&str, &str) = ("SIDECAR_NO_UPROBE_MULTI", "1");

/// All tests arrive, whole, and the command ends as it does unobserved.
pub(crate) fn watches() -> Result<()> {
    let exec = Exec::new()?;
    let program = built("target_tests")?;
    let argv = [program.as_os_str(), "tests 50".as_ref(), "fail last broken".as_ref(), "exit 3".as_ref()];
    let mut command = exec.command(&argv)?;
    let ran = exec.ran(finish(command.env(VARIABLE.0, VARIABLE.1))?)?;
    ran.expect_code(3)?;
    let (starts, ends) = (ran.of_type("test_start").len(), ran.ends().len());
    ensure!((starts, ends) == (51, 51), "{starts} starts and {ends} ends: {}", ran.err());
    Ok(())
}

/// Ten thousand sites are more than there are descriptors for: that is said, and the command runs all the same.
pub(crate) fn too_many_sites() -> Result<()> {
    let program = Program::copy("target_sites")?;
    let exec = Exec::new()?.beneath(&["prlimit", "--nofile=1024:1024"]).config(&format!(
        "probes: [{{provider: sites, marker: site, args: [plain]}}]\ndiscovery: {{files: ['{}'], max_specs: 16384}}\n",
        program.path().display()
    ))?;
    let mut command = exec.command(&[program.path()])?;
    let ran = exec.ran(finish(command.env(VARIABLE.0, VARIABLE.1))?)?;
    ran.expect_code(0)?;
    let err = ran.err();
    ensure!(
        err.contains("not attached") && err.contains("LimitNOFILE") && err.contains("uprobe_multi"),
        "{err}"
    );
    Ok(())
}
