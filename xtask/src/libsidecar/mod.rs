//! `cargo xtask libsidecar`: the markers as a C library, built and installed as C programs expect one.

mod header;
mod install;
mod link;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::process;
use header::Abi;

/// Build the C library and install it: header, shared and static library, pkg-config and CMake files
///
/// Writes PREFIX/include/sidecar.h, PREFIX/lib/libsidecar.so.N, libsidecar.so and libsidecar.a,
/// PREFIX/lib/pkgconfig/sidecar.pc, and the listeners for C++ test frameworks in PREFIX/include/sidecar,
/// PREFIX/share/sidecar and PREFIX/lib/cmake/sidecar. Needs gcc and binutils.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where programs will look for it
    #[arg(long, value_name = "DIR", default_value = "/usr/local")]
    prefix: PathBuf,
    /// Put all files under this folder, as if it were the root
    #[arg(long, value_name = "DIR")]
    destdir: Option<PathBuf>,
}

/// What is installed.
struct Built {
    shared: PathBuf,
    fixed: PathBuf,
    abi: Abi,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let markers = process::root().join("sidecar-markers");
    let abi = Abi::read(&markers)?;
    let archive = compile()?;
    let folder = archive.with_file_name("c");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let object = link::object(&archive, &abi, &folder)?;
    let built =
        Built { fixed: link::fixed(&object, &folder)?, shared: link::shared(&object, &abi, &folder)?, abi };
    let prefix = std::path::absolute(&args.prefix).context("the prefix")?;
    install::install(&built, &prefix, &install::staged(args.destdir.as_deref(), &prefix))?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the static library. Only where it is the one kind of library that is asked for does Rust optimise it as a whole.
fn compile() -> Result<PathBuf> {
    let mut cargo = process::command(["cargo", "rustc", "--quiet", "--profile", "libsidecar"]);
    cargo.args(["-p", "sidecar-markers", "--lib", "--crate-type", "staticlib"]);
    process::success(&mut cargo)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| process::root().join("target"), PathBuf::from);
    let archive = process::root().join(target).join("libsidecar/libsidecar_markers.a");
    anyhow::ensure!(archive.is_file(), "cargo has built no {}", archive.display());
    Ok(archive)
}

/// Reads a file of the repository.
fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
