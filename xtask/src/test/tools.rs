//! What the tests need beside cargo: found, installed where that is an ordinary thing to do, or named.

use anyhow::{Result, bail};

use super::Part;
use crate::process;

/// The runner whose own USDT markers the truth tests compare with its JUnit report.
const NEXTEST: [&str; 6] = ["cargo", "install", "--locked", "cargo-nextest", "--version", "0.9.143"];

/// A program and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

const TOOLS: [Tool; 2] = [
    Tool { program: "gcc", package: "gcc", why: "links test programs and compiles the C examples" },
    Tool { program: "readelf", package: "binutils", why: "the oracle for the ELF reader" },
];

/// Sees to it that the part's tools are there.
///
/// On Debian, as root, packages are installed; elsewhere the error names what is missing. What builds the
/// kernel programs is `build-ebpf`'s to find.
pub(crate) fn provide(part: Part) -> Result<()> {
    if matches!(part, Part::Lint | Part::Object) {
        return Ok(());
    }
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| process::which(tool.program).is_none()).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
        if !(process::is_root() && process::which("apt-get").is_some()) {
            let names: Vec<String> =
                missing.iter().map(|tool| format!("{} ({})", tool.program, tool.why)).collect();
            bail!("missing: {}; on Debian: apt-get install {}", names.join(", "), packages.join(" "));
        }
        println!("== installing {}", packages.join(" "));
        process::success(&mut process::command(["apt-get", "update", "-qq"]))?;
        let mut install = process::command(["apt-get", "install", "-y", "-qq", "--no-install-recommends"]);
        process::success(install.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    if process::which("cargo-nextest").is_none() {
        let mut install = process::command(NEXTEST);
        println!("== installing cargo-nextest: {}", process::shown(&install));
        process::success(&mut install)?;
    }
    Ok(())
}
