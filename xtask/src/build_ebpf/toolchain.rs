//! The compiler and the linker that build for BPF: rustup's nightly with its source, or Debian's packages.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// Debian's packages: a compiler new enough, its library's source, and the LLVM that bpf-linker is built against.
const DEBIAN_PACKAGES: [&str; 6] =
    ["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev", "libpolly-22-dev", "libzstd-dev"];
/// The newest linker, for an LLVM of its own.
const LINKER_FOR_DEBIAN: &str = "0.13.0";
/// The last linker that uses the compiler's own LLVM.
const LINKER_FOR_RUSTUP: &str = "0.10.4";

/// A toolchain that can build the kernel programs.
pub(super) struct Toolchain {
    /// Versions of the compiler and the linker, for the record.
    pub(super) name: String,
    pub(super) cargo: PathBuf,
    pub(super) rustc: PathBuf,
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

fn linker() -> Result<String> {
    output(Command::new("bpf-linker").arg("--version"))
        .map_err(|_| anyhow::anyhow!("bpf-linker is not installed"))
}

fn named(rustc: &Path, cargo: PathBuf, source: PathBuf) -> Result<Toolchain> {
    if !source.join("core/src/lib.rs").exists() {
        bail!("{} lacks the source of its library", rustc.display());
    }
    let version = output(Command::new(rustc).arg("--version"))?;
    Ok(Toolchain { name: format!("{version}, {}", linker()?), cargo, rustc: rustc.to_owned(), source })
}

fn rustup_nightly() -> Result<Toolchain> {
    let which = |tool: &str| -> Result<PathBuf> {
        output(Command::new("rustup").args(["which", "--toolchain", "nightly", tool]))
            .map(PathBuf::from)
            .map_err(|_| anyhow::anyhow!("rustup has no nightly"))
    };
    let rustc = which("rustc")?;
    let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    named(&rustc, which("cargo")?, Path::new(&sysroot).join("lib/rustlib/src/rust/library"))
        .context("rustup's nightly")
}

fn debian() -> Result<Toolchain> {
    let rustc = Path::new("/usr/bin/rustc");
    if !rustc.exists() {
        bail!("Debian's rustc-web is not installed");
    }
    named(rustc, PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/lib/rustlib/src/rust/library"))
}

fn run(command: &mut Command) -> Result<()> {
    println!("+ {command:?}");
    if !command.status()?.success() {
        bail!("{command:?} failed");
    }
    Ok(())
}

/// Installs a toolchain: rustup's where it can download, else Debian's.
pub(super) fn install() -> Result<()> {
    let nightly = run(Command::new("rustup").args([
        "toolchain",
        "install",
        "nightly",
        "--profile",
        "minimal",
        "--component",
        "rust-src",
    ]));
    match nightly {
        Ok(()) => install_linker(LINKER_FOR_RUSTUP, None),
        Err(_) => {
            println!("rustup can't give a nightly with its source here; Debian's packages then");
            let as_root = output(Command::new("id").arg("-u"))? == "0";
            let apt = |arguments: &[&str]| {
                let mut command = if as_root { Command::new("apt-get") } else { Command::new("sudo") };
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
    }
}

fn install_linker(version: &str, llvm: Option<&str>) -> Result<()> {
    if linker().is_ok_and(|found| found.ends_with(version)) {
        return Ok(());
    }
    let mut command = Command::new("cargo");
    command.args(["install", "--quiet", "--locked", "bpf-linker", "--version", version]);
    if let Some(prefix) = llvm {
        command.env("LLVM_PREFIX", prefix).args(["--no-default-features", "--features", "llvm-22"]);
    }
    run(&mut command)
}
