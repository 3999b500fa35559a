//! Makes of Rust's static library one small object, and of that the static and the shared library.
//!
//! Not by Rust's own `cdylib`: for that rustc writes a version script of its own, which admits no named version. And
//! Rust's static library has the standard library in it, of which the markers use nothing; two of that kind in one
//! program clash.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::header::Abi;
use crate::process;

/// The base that stapsdt notes refer to: shared with every other object of a program, so it stays as it is.
const BASE: &str = "_.stapsdt.base";
/// A constructor of Rust's standard library, for programs that ask it for their arguments.
const CONSTRUCTOR: &str = ".init_array.00099";

/// One object with all that the exported functions reach, which are its only global symbols.
pub(super) fn object(archive: &Path, abi: &Abi, folder: &Path) -> Result<PathBuf> {
    let (whole, object) = (folder.join("whole.o"), folder.join("sidecar.o"));
    let mut link = process::command(["gcc", "-r", "-nostdlib", "-fuse-ld=bfd", "-Wl,--gc-sections"]);
    link.args(abi.functions.iter().map(|function| format!("-Wl,--undefined={function}")));
    process::success(link.arg("-o").arg(&whole).arg(archive))?;

    let mut objcopy = process::command(["objcopy", "--strip-debug", "--strip-unneeded", "--wildcard"]);
    objcopy.args(abi.functions.iter().map(|function| format!("--keep-global-symbol={function}")));
    objcopy.arg(format!("--keep-global-symbol={BASE}"));
    objcopy.args([CONSTRUCTOR, ".comment"].map(|section| format!("--remove-section={section}")));
    objcopy.arg(format!("--remove-section=.rela{CONSTRUCTOR}"));
    process::success(objcopy.args([&whole, &object]))?;
    Ok(object)
}

/// The static library.
pub(super) fn fixed(object: &Path, folder: &Path) -> Result<PathBuf> {
    let library = folder.join("libsidecar.a");
    // `ar` adds to what is there.
    if library.exists() {
        std::fs::remove_file(&library).with_context(|| format!("cannot replace {}", library.display()))?;
    }
    process::success(process::command(["ar", "rcsD"]).args([&library, object]))?;
    Ok(library)
}

/// The shared library.
pub(super) fn shared(object: &Path, abi: &Abi, folder: &Path) -> Result<PathBuf> {
    let (library, script) = (folder.join(abi.soname()), folder.join("sidecar.map"));
    std::fs::write(&script, abi.version_script())
        .with_context(|| format!("cannot write {}", script.display()))?;
    let mut version_script = OsString::from("-Wl,--version-script=");
    version_script.push(&script);
    let mut link = process::command(["gcc", "-shared", "-nostartfiles", "-fuse-ld=bfd"]);
    link.args(["-Wl,-z,defs", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,text", "-Wl,-z,noexecstack"]);
    link.args(["-Wl,--as-needed", "-Wl,--hash-style=gnu", "-Wl,--build-id=sha1"]);
    link.arg(format!("-Wl,-soname,{}", abi.soname())).arg(version_script);
    process::success(link.arg("-o").args([&library, object]))?;
    process::success(process::command(["strip", "--strip-unneeded"]).arg(&library))?;
    Ok(library)
}
