//! What the tests need beside cargo: found, installed where that is an ordinary thing to do, or named.

use anyhow::{Result, bail};

use super::Part;
use crate::process;

/// The runner whose own USDT markers the truth tests compare with its JUnit report.
const NEXTEST: [&str; 6] = ["cargo", "install", "--locked", "cargo-nextest", "--version", "0.9.143"];

/// The second processor that the markers are checked for.
const AARCH64: &str = "aarch64-unknown-linux-gnu";
/// Debian's way to it: a compiler that builds the standard library from its source.
const AARCH64_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// A program, or a file's absolute path, and the Debian package that has it.
struct Tool {
    program: &'static str,
    package: &'static str,
    why: &'static str,
    /// Without it nothing is run; without another, the tests that need it are skipped and say so.
    must: bool,
}

const TOOLS: [Tool; 14] = [
    Tool {
        program: "gcc",
        package: "gcc",
        why: "links test programs and compiles the C examples",
        must: true,
    },
    Tool { program: "readelf", package: "binutils", why: "the oracle for the ELF reader", must: true },
    Tool { program: "objdump", package: "binutils", why: "reads the markers' machine code", must: false },
    Tool { program: "g++", package: "g++", why: "compiles the C++ examples", must: false },
    Tool { program: "mold", package: "mold", why: "a linker that the markers have to survive", must: false },
    Tool {
        program: "/usr/include/gtest/gtest.h",
        package: "libgtest-dev",
        why: "the real googletest for its preset",
        must: false,
    },
    Tool {
        program: "/usr/bin/python3",
        package: "python3",
        why: "the real CPython for its preset",
        must: false,
    },
    Tool {
        program: "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
        package: "openjdk-17-jre-headless",
        why: "the real HotSpot for its preset",
        must: false,
    },
    Tool {
        program: "/usr/bin/bpftrace",
        package: "bpftrace",
        why: "the oracle for what probes count",
        must: false,
    },
    Tool {
        program: "/usr/src/googletest/googletest/src/gtest-all.cc",
        package: "googletest",
        why: "a shared googletest for its preset",
        must: false,
    },
    Tool {
        program: "/usr/lib/python3.11/ensurepip/__init__.py",
        package: "python3-venv",
        why: "an environment of its own for the Python client",
        must: false,
    },
    Tool {
        program: "/usr/include/python3.11/Python.h",
        package: "python3-dev",
        why: "builds the Python client's extension",
        must: false,
    },
    Tool { program: "node", package: "nodejs", why: "runs the tests of the Node client", must: false },
    Tool {
        program: "npm",
        package: "npm",
        why: "brings the frameworks of the Node client's tests",
        must: false,
    },
];

/// Sees to it that the part's tools are there.
///
/// On Debian, as root, packages are installed; elsewhere the error names what is missing. What builds the
/// kernel programs is `build-ebpf`'s to find.
pub(crate) fn provide(part: Part) -> Result<()> {
    if matches!(part, Part::Lint | Part::Object | Part::Vm) {
        return Ok(());
    }
    programs()?;
    if process::which("cargo-nextest").is_none() {
        let mut install = process::command(NEXTEST);
        println!("== installing cargo-nextest: {}", process::shown(&install));
        process::success(&mut install)?;
    }
    aarch64()
}

fn is_there(tool: &Tool) -> bool {
    if tool.program.starts_with('/') {
        return std::path::Path::new(tool.program).exists();
    }
    process::which(tool.program).is_some()
}

fn programs() -> Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    if apt_installs() {
        return install(&packages);
    }
    let names: Vec<String> = missing.iter().map(|tool| format!("{} ({})", tool.program, tool.why)).collect();
    let what = format!("missing: {}; on Debian: apt-get install {}", names.join(", "), packages.join(" "));
    if missing.iter().any(|tool| tool.must) {
        bail!(what);
    }
    println!("== {what}");
    Ok(())
}

/// The standard library for the second processor, or what it can be built from. Without both, the test that needs it
/// says so.
fn aarch64() -> Result<()> {
    let installed = |list: &str| list.lines().any(|target| target == AARCH64);
    if process::which("rustup").is_some() {
        let list = process::output(&mut process::command(["rustup", "target", "list", "--installed"]))?;
        if installed(&list) {
            return Ok(());
        }
        let mut add = process::command(["rustup", "target", "add", AARCH64]);
        println!("== installing the target {AARCH64}: {}", process::shown(&add));
        if process::status(&mut add)?.success() {
            return Ok(());
        }
    }
    let source = std::path::Path::new("/usr/lib/rustlib/src/rust/library/std");
    if apt_installs() && !source.exists() {
        return install(&AARCH64_PACKAGES);
    }
    Ok(())
}

fn apt_installs() -> bool {
    process::is_root() && process::which("apt-get").is_some()
}

fn install(packages: &[&str]) -> Result<()> {
    println!("== installing {}", packages.join(" "));
    process::success(&mut process::command(["apt-get", "update", "-qq"]))?;
    let mut install = process::command(["apt-get", "install", "-y", "-qq", "--no-install-recommends"]);
    process::success(install.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}
