//! The compilers, linkers and libraries that the tests use.

use std::io::ErrorKind::ExecutableFileBusy;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::Missing;

/// How long a program that was just written may be busy.
const BUSY: Duration = Duration::from_secs(30);

/// A library that Cargo built beside this test.
pub(crate) fn library(name: &str) -> PathBuf {
    let path = std::env::current_exe().unwrap().parent().unwrap().join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// Says so where a program is missing.
pub(crate) fn need(program: &str) -> Result<(), Missing> {
    let here = Command::new(program).arg("--version").output().is_ok();
    if here { Ok(()) } else { Err(format!("no {program} on this machine")) }
}

/// Runs a program to its end, with its output kept.
pub(crate) fn output(command: &mut Command) -> Output {
    let deadline = Instant::now() + BUSY;
    loop {
        match command.output() {
            // A process that another test has just forked still holds the file open for writing, until its own exec.
            Err(error) if error.kind() == ExecutableFileBusy && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            other => return other.unwrap_or_else(|error| panic!("{command:?}: {error}")),
        }
    }
}

/// The output of a program that must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The folder with the linkers that Rust brings along, `rust-lld` among them.
pub(crate) fn rust_linkers() -> PathBuf {
    let sysroot = run(Command::new("rustc").args(["--print", "sysroot"]));
    let version = run(Command::new("rustc").arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin")
}

/// gcc's arguments that choose another linker.
pub(crate) fn linker(name: &str) -> Result<Vec<String>, Missing> {
    let installed = Command::new(format!("ld.{name}")).arg("--version").output().is_ok();
    let bundled = rust_linkers().join("gcc-ld");
    if installed {
        Ok(vec![format!("-fuse-ld={name}")])
    } else if bundled.join(format!("ld.{name}")).exists() {
        Ok(vec![format!("-B{}", bundled.display()), format!("-fuse-ld={name}")])
    } else {
        Err(format!("no ld.{name} on this machine"))
    }
}
