//! `cargo xtask build-ebpf`: builds the kernel programs from their source.

mod digest;
mod strip;
mod toolchain;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::process;
use toolchain::Toolchain;

/// Build the kernel programs, or check the committed object against their source
///
/// The object is committed, so that building sidecar needs stable Rust alone. After a change to sidecar-ebpf or
/// sidecar-common build it anew with this command and commit it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing: fail when the committed object does not come from the source as it is
    #[arg(long)]
    pub(crate) check: bool,
    /// Install what the build needs and this machine lacks
    #[arg(long)]
    pub(crate) install: bool,
    /// Features of the kernel programs to switch on, for debugging ("log"); builds to target/ebpf only
    #[arg(long, value_name = "NAME")]
    pub(crate) features: Vec<String>,
}

/// What is committed beside the object.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// Digest of everything the object is built from.
    source_sha256: String,
    /// Digest of the object.
    object_sha256: String,
    /// The compiler and the linker.
    toolchain: String,
}

/// Where `build-ebpf --check` leaves the object that it built from source.
pub(crate) fn rebuilt_object() -> PathBuf {
    process::root().join("target/ebpf/sidecar.bpf.o")
}

fn committed_object() -> PathBuf {
    process::root().join("sidecar-agent/bpf/sidecar.bpf.o")
}

fn record_path() -> PathBuf {
    process::root().join("sidecar-agent/bpf/sidecar.bpf.json")
}

/// Runs the verb.
pub(crate) fn run(args: Args) -> Result<()> {
    let recorded = fs::read(record_path()).ok().and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    let wanted = recorded.as_ref().map(|record| record.toolchain.as_str());
    let toolchain = match Toolchain::find(wanted) {
        Ok(toolchain) => toolchain,
        Err(_) if args.install => {
            toolchain::install(wanted)?;
            Toolchain::find(wanted)?
        }
        Err(error) => return Err(error.context("`cargo xtask build-ebpf --install` installs it")),
    };
    println!("building the kernel programs with {}", toolchain.name);
    let object = build(&toolchain, &args.features)?;
    let built = rebuilt_object();
    fs::create_dir_all(built.parent().context("the object's folder")?)?;
    fs::write(&built, &object).with_context(|| built.display().to_string())?;
    if !args.features.is_empty() {
        println!("built {} with {}; use it by --bpf-object", built.display(), args.features.join(", "));
        return Ok(());
    }
    let record = Record {
        source_sha256: digest::source(&process::root())?,
        object_sha256: digest::hex(&object),
        toolchain: toolchain.name,
    };
    if args.check {
        return check(recorded.as_ref(), &record, &fs::read(committed_object())?);
    }
    fs::write(committed_object(), &object)?;
    fs::write(record_path(), serde_json::to_string_pretty(&record)? + "\n")?;
    println!("wrote {} ({} bytes) and its record", committed_object().display(), object.len());
    Ok(())
}

/// Compares the committed object and its record with what was built just now.
fn check(recorded: Option<&Record>, built: &Record, committed: &[u8]) -> Result<()> {
    let again = "run `cargo xtask build-ebpf` and commit sidecar-agent/bpf";
    let Some(recorded) = recorded else {
        bail!("{} is missing or not readable: {again}", record_path().display())
    };
    if recorded.object_sha256 != digest::hex(committed) {
        bail!("the committed object is not the one that its record names: {again}");
    }
    if recorded.source_sha256 != built.source_sha256 {
        bail!("the source of the kernel programs has changed since the committed object was built: {again}");
    }
    if recorded.toolchain != built.toolchain {
        println!(
            "same source; the object was built with {}, not {}, so that its bytes can't be compared: run the kernel \
             tests on the rebuilt one",
            recorded.toolchain, built.toolchain
        );
    } else if recorded.object_sha256 == built.object_sha256 {
        println!("the committed object is what its source gives, byte for byte");
    } else {
        bail!("the same source and toolchain give another object than the committed one: {again}");
    }
    Ok(())
}

fn build(toolchain: &Toolchain, features: &[String]) -> Result<Vec<u8>> {
    let root = process::root();
    let target = root.join("target/bpf");
    let mut flags = vec![
        // aya-ebpf's choice of pt_regs layout. The programs use none of it: registers come from the specs.
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        format!("-Clinker={}", toolchain.linker.display()),
        "-Ctarget-cpu=v3".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("--remap-path-prefix={}=.", root.display()),
    ];
    for (from, to) in toolchain.remaps()? {
        flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    }
    let mut command = Command::new(&toolchain.cargo);
    command
        .current_dir(&root)
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTFLAGS")
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "bpf",
            "--package",
            "sidecar-ebpf",
            "--bin",
            "sidecar-bpf",
        ])
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"])
        .arg(&target);
    if let Some(libraries) = &toolchain.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    for feature in features {
        command.args(["--features", feature]);
    }
    let status = command.status().with_context(|| format!("{}", toolchain.cargo.display()))?;
    if !status.success() {
        bail!("the kernel programs do not build");
    }
    let path: &Path = &target.join("bpfel-unknown-none/bpf/sidecar-bpf");
    strip::debug_sections(&fs::read(path).with_context(|| path.display().to_string())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(source: &str, object: &[u8], toolchain: &str) -> Record {
        Record {
            source_sha256: source.to_owned(),
            object_sha256: digest::hex(object),
            toolchain: toolchain.to_owned(),
        }
    }

    #[test]
    fn the_check_fails_for_each_kind_of_disagreement_and_says_what_to_do() {
        let good = record("s", b"o", "t");
        assert!(check(Some(&good), &record("s", b"o", "t"), b"o").is_ok());
        assert!(check(Some(&good), &record("s", b"other bytes", "another toolchain"), b"o").is_ok());
        for (recorded, built, committed) in [
            (None, record("s", b"o", "t"), &b"o"[..]),
            (Some(&good), record("s", b"o", "t"), b"tampered"),
            (Some(&good), record("changed", b"o", "t"), b"o"),
            (Some(&good), record("changed", b"o", "another toolchain"), b"o"),
            (Some(&good), record("s", b"p", "t"), b"o"),
        ] {
            let error = check(recorded, &built, committed).unwrap_err().to_string();
            assert!(error.contains("cargo xtask build-ebpf"), "{error}");
        }
    }

    #[test]
    fn the_committed_object_is_the_one_its_record_names_and_comes_from_this_source() {
        let record: Record = serde_json::from_slice(&fs::read(record_path()).unwrap()).unwrap();
        assert_eq!(record.object_sha256, digest::hex(&fs::read(committed_object()).unwrap()));
        assert_eq!(
            record.source_sha256,
            digest::source(&process::root()).unwrap(),
            "the source has changed: run `cargo xtask build-ebpf` and commit"
        );
    }
}
