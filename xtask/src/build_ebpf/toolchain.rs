//! The compiler and the linker that build for BPF: rustup's nightly with its source, or Debian's packages.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::process;

/// Debian's packages: a compiler new enough, its library's source, and the LLVM that bpf-linker is built against.
const DEBIAN_PACKAGES: [&str; 6] =
    ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev", "libpolly-22-dev", "libzstd-dev"];
/// The newest linker, for an LLVM of its own.
const LINKER_FOR_DEBIAN: &str = "0.13.0";
/// The last linker that uses a Rust compiler's own LLVM.
const LINKER_FOR_RUSTUP: &str = "0.10.4";
/// How the version of Debian's compiler ends, which tells it from rustup's.
const DEBIAN_MARK: &str = "(built from a source tarball)";

/// A toolchain that can build the kernel programs.
pub(super) struct Toolchain {
    /// Versions of the compiler and the linker, for the record.
    pub(super) name: String,
    pub(super) cargo: PathBuf,
    pub(super) rustc: PathBuf,
    pub(super) linker: PathBuf,
    /// Folder in which the linker finds the compiler's LLVM, where that is not the system's.
    pub(super) libraries: Option<PathBuf>,
    /// Folder of the standard library's source.
    source: PathBuf,
}

impl Toolchain {
    /// The toolchain named `wanted` if it is here, else the first that is.
    pub(super) fn find(wanted: Option<&str>) -> Result<Self> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for candidate in [rustup_nightly(), debian()] {
            match candidate {
                Ok(toolchain) => found.push(toolchain),
                Err(error) => missing.push(format!("{error:#}")),
            }
        }
        if found.is_empty() {
            bail!("no toolchain for the kernel programs: {}", missing.join("; "));
        }
        let index = found.iter().position(|toolchain| Some(toolchain.name.as_str()) == wanted).unwrap_or(0);
        Ok(found.swap_remove(index))
    }

    /// Folders whose names must not reach the object, and what takes their place.
    pub(super) fn remaps(&self) -> Result<Vec<(PathBuf, String)>> {
        let mut remaps = vec![(self.source.clone(), "rust".to_owned())];
        if let Ok(real) = self.source.canonicalize() {
            remaps.push((real, "rust".to_owned()));
        }
        let home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
            .context("neither CARGO_HOME nor HOME is set")?;
        if let Ok(entries) = home.join("registry/src").read_dir() {
            for entry in entries.flatten() {
                remaps.push((entry.path(), "crates".to_owned()));
            }
        }
        Ok(remaps)
    }
}

fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| name.clone())?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where `install` puts a linker of this version.
fn linker_root(version: &str) -> PathBuf {
    process::root().join("target/bpf-linker").join(version)
}

/// The linker of this version: the one that `install` made, or the one on the PATH.
fn linker(version: &str) -> Result<(PathBuf, String)> {
    for path in [linker_root(version).join("bin/bpf-linker"), PathBuf::from("bpf-linker")] {
        if let Ok(found) = output(Command::new(&path).arg("--version"))
            && found.ends_with(version)
        {
            return Ok((path, found));
        }
    }
    bail!("bpf-linker {version} is not installed")
}

fn named(rustc: PathBuf, cargo: PathBuf, source: PathBuf, linker_version: &str) -> Result<Toolchain> {
    if !source.join("core/src/lib.rs").exists() {
        bail!("{} lacks the source of its library", rustc.display());
    }
    let version = output(Command::new(&rustc).arg("--version"))?;
    let (linker, linker_name) = linker(linker_version)?;
    let name = format!("{version}, {linker_name}");
    Ok(Toolchain { name, cargo, rustc, linker, libraries: None, source })
}

fn rustup_nightly() -> Result<Toolchain> {
    let which = |tool: &str| -> Result<PathBuf> {
        output(Command::new("rustup").args(["which", "--toolchain", "nightly", tool]))
            .map(PathBuf::from)
            .map_err(|_| anyhow::anyhow!("rustup has no nightly"))
    };
    let rustc = which("rustc")?;
    let sysroot = PathBuf::from(output(Command::new(&rustc).args(["--print", "sysroot"]))?);
    let source = sysroot.join("lib/rustlib/src/rust/library");
    let toolchain = named(rustc, which("cargo")?, source, LINKER_FOR_RUSTUP).context("rustup's nightly")?;
    Ok(Toolchain { libraries: Some(sysroot.join("lib")), ..toolchain })
}

fn debian() -> Result<Toolchain> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    if !rustc.exists() {
        bail!("Debian's rustc-web is not installed");
    }
    let source = PathBuf::from("/usr/lib/rustlib/src/rust/library");
    named(rustc, PathBuf::from("/usr/bin/cargo"), source, LINKER_FOR_DEBIAN)
}

fn run(command: &mut Command) -> Result<()> {
    println!("+ {command:?}");
    if !command.status()?.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

/// Installs a toolchain: the kind that is wanted, where it can be had; else rustup's nightly, else Debian's.
pub(super) fn install(wanted: Option<&str>) -> Result<()> {
    let rustup: fn() -> Result<()> = install_rustup;
    let kinds = if wanted.is_some_and(|name| name.contains(DEBIAN_MARK)) {
        [install_debian, rustup]
    } else {
        [rustup, install_debian]
    };
    let mut failures = Vec::new();
    for install in kinds {
        match install() {
            Ok(()) => return Ok(()),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    bail!("no toolchain for the kernel programs can be installed here: {}", failures.join("; "))
}

fn install_rustup() -> Result<()> {
    // A nightly that is here already stays as it is: it is its owner's to update.
    if !rustup_source_is_here() {
        run(Command::new("rustup").args([
            "toolchain",
            "install",
            "nightly",
            "--profile",
            "minimal",
            "--component",
            "rust-src",
        ]))?;
    }
    install_linker(LINKER_FOR_RUSTUP, None)
}

fn rustup_source_is_here() -> bool {
    output(Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"])).is_ok_and(
        |sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/src/lib.rs").exists(),
    )
}

fn install_debian() -> Result<()> {
    let as_root = process::is_root();
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if as_root { "apt-get" } else { "sudo" });
        if !as_root {
            command.arg("apt-get");
        }
        run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(DEBIAN_PACKAGES);
    apt(&install)?;
    install_linker(LINKER_FOR_DEBIAN, Some("/usr/lib/llvm-22"))
}

fn install_linker(version: &str, llvm: Option<&str>) -> Result<()> {
    if linker(version).is_ok() {
        return Ok(());
    }
    let mut command = Command::new("cargo");
    command.args(["install", "--quiet", "--locked", "bpf-linker", "--version", version, "--root"]);
    command.arg(linker_root(version));
    if let Some(prefix) = llvm {
        command.env("LLVM_PREFIX", prefix).args(["--no-default-features", "--features", "llvm-22"]);
    }
    run(&mut command)
}
