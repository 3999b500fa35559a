//! The C library, installed for the tests by `cargo xtask libsidecar`, and programs compiled with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

use crate::exec::finish;
use crate::suite::without_cargo;

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A folder for what is built for the tests of one client.
///
/// # Errors
/// When there can't be one.
pub fn folder(client: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let folder = root().join(target).join("clients").join(client);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// The prefix under which the library is installed: built on the first call.
///
/// # Errors
/// When it can't be built.
pub fn prefix() -> Result<&'static Path> {
    static PREFIX: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PREFIX.get_or_init(|| install().map_err(|error| format!("{error:#}"))) {
        Ok(prefix) => Ok(prefix),
        Err(error) => Err(anyhow::anyhow!("there is no libsidecar to test: {error}")),
    }
}

fn install() -> Result<PathBuf> {
    // One for each test program, so that none replaces what another one uses.
    let own = std::env::current_exe()?;
    let own = own.file_stem().context("the name of this program")?.to_string_lossy().into_owned();
    let own = own.rsplit_once('-').map_or(own.as_str(), |(name, _)| name).to_owned();
    let prefix = folder(&own)?.join("prefix");
    let mut command = Command::new("cargo");
    without_cargo(&mut command);
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        command.env("CARGO_TARGET_DIR", target);
    }
    command.args(["run", "--quiet", "-p", "xtask", "--manifest-path"]).arg(root().join("Cargo.toml"));
    command.args(["--", "libsidecar", "--prefix"]).arg(&prefix);
    succeed(&mut command)?;
    Ok(prefix)
}

/// Runs a command that has to succeed, and gives its standard output.
///
/// # Errors
/// When it does not, with what it said.
pub fn succeed(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Compiles a program, unless it is newer than all that it is made of. One at a time: many tests want the same one.
///
/// # Errors
/// When the compiler refuses.
pub fn compile(program: &Path, compiler: &mut Command) -> Result<()> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let made = program.metadata().and_then(|metadata| metadata.modified()).ok();
    let root = root();
    let mut newest = None;
    for source in ["clients/cpp", "sidecar-markers", "sidecar-common/src", "tests/tests/client_cpp"] {
        newest = newest.max(Some(changed(&root.join(source))?));
    }
    if made > newest {
        return Ok(());
    }
    // Under another name first: one that failed half way is not taken for whole.
    let fresh = program.with_extension("new");
    succeed(compiler.arg("-o").arg(&fresh))?;
    std::fs::rename(&fresh, program).with_context(|| program.display().to_string())
}

/// When the newest file in a folder was changed.
fn changed(folder: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        newest = newest.max(if metadata.is_dir() { changed(&entry.path())? } else { metadata.modified()? });
    }
    Ok(newest)
}

/// Why a program that a test needs can't be run, if so.
#[must_use]
pub fn missing(program: &str) -> Option<String> {
    let here = Command::new(program).arg("--version").output().is_ok();
    (!here).then(|| format!("no {program} on this machine"))
}
