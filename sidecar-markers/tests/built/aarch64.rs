//! The whole crate builds for aarch64, and its markers there are what they should be.
//!
//! The standard library for aarch64 is Rust's own where it is installed, else it is built from its source
//! (half a minute, once). The crate's objects are linked by `rust-lld` and read back; no aarch64 machine, linker or C
//! library is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::elf::{AARCH64, AARCH64_CODE, check};
use crate::tools::{run, rust_linkers};
use crate::{Missing, Named};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The compiler to use, and whether it must build the standard library.
fn toolchain() -> Result<(PathBuf, bool), Missing> {
    let sysroot = |rustc: &Path| {
        let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
        Some(Path::new(String::from_utf8(output.stdout).ok()?.trim()).join("lib/rustlib"))
    };
    let compilers = [PathBuf::from("rustc"), PathBuf::from("/usr/bin/rustc")];
    let installed = compilers.iter().find(|rustc| sysroot(rustc).is_some_and(|at| at.join(TARGET).exists()));
    let with_source = compilers
        .iter()
        .find(|rustc| sysroot(rustc).is_some_and(|at| at.join("src/rust/library/std").exists()));
    match (installed, with_source) {
        (Some(rustc), _) => Ok((rustc.clone(), false)),
        (None, Some(rustc)) => Ok((rustc.clone(), true)),
        (None, None) => Err(format!(
            "no compiler with the standard library for {TARGET} or its source; `rustup target add {TARGET}`, \
             or on Debian `apt install rustc-web rust-web-src`"
        )),
    }
}

/// This file's tests.
pub(crate) fn tests() -> Vec<Named> {
    vec![("the_markers_for_aarch64_are_whole", markers)]
}

fn markers() -> Result<(), Missing> {
    let (rustc, build_std) = toolchain()?;
    let lld = rust_linkers().join("rust-lld");
    if !lld.exists() {
        return Err(format!("{} is missing", lld.display()));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aarch64");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "--lib", "--crate-type", "rlib", "--target", TARGET]);
    cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&folder).env("RUSTC", rustc);
    if build_std {
        cargo.arg("-Zbuild-std=std").env("RUSTC_BOOTSTRAP", "1");
    }
    // Flags of this run, such as those for coverage, need not fit the other target.
    run(cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS"));

    let library = folder.join(TARGET).join("debug/libsidecar_markers.rlib");
    for options in [&["--gc-sections"][..], &[]] {
        let image = folder.join("markers.so");
        let mut link = Command::new(&lld);
        link.args(["-flavor", "gnu", "-m", "aarch64linux", "-shared", "--whole-archive"]).args(options);
        run(link.arg(&library).arg("-o").arg(&image));
        check("aarch64", &std::fs::read(&image).unwrap(), AARCH64, AARCH64_CODE, 4);
    }
    Ok(())
}
