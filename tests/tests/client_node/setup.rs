//! The Node client as a user has it: packages by `npm ci`, the addon compiled, the examples beside them. Made once, under
//! `target/clients/node`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::Exec;

/// What the copied package and its build need.
const PACKAGE: [&str; 8] =
    ["package.json", "index.js", "index.d.ts", "build.js", "lib", "native", "reporters", "README.md"];

/// Why the client can't be tested here, if so.
pub(crate) fn obstacle() -> Option<&'static str> {
    static OBSTACLE: OnceLock<Option<&'static str>> = OnceLock::new();
    *OBSTACLE.get_or_init(|| {
        let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
        if there("node") && there("npm") { None } else { Some("node or npm is not installed") }
    })
}

/// The folder with the packages and the examples.
pub(crate) fn folder() -> Result<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match FOLDER.get_or_init(|| make().map_err(|error| format!("{error:#}"))) {
        Ok(folder) => Ok(folder),
        Err(error) => Err(anyhow::anyhow!("the client can't be set up: {error}")),
    }
}

/// The compiled addon.
pub(crate) fn addon() -> Result<PathBuf> {
    Ok(folder()?.join("node_modules/sidecar-node/sidecar_native.node"))
}

/// A call of `sidecar exec` that knows the addon before anything loads it.
pub(crate) fn exec() -> Result<Exec> {
    Exec::new()?.config(&format!("discovery: {{libraries: [{}]}}\n", addon()?.display()))
}

/// A command in the folder of an example, without anything that says how this test itself runs.
pub(crate) fn within(mut command: Command, example: &str) -> Result<Command> {
    command.current_dir(folder()?.join("example").join(example));
    for name in ["SIDECAR_RUN_ID", "SIDECAR_ENABLED", "NEXTEST_RUN_ID", "NODE_OPTIONS", "CI", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    Ok(command)
}

fn make() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let (source, folder) = (root.join("clients/node"), root.join("target/clients/node"));
    std::fs::create_dir_all(&folder)?;
    install(&source.join("example"), &folder)?;

    let package = folder.join("node_modules/sidecar-node");
    std::fs::create_dir_all(&package)?;
    for name in PACKAGE {
        done(Command::new("cp").arg("-r").arg(source.join(name)).arg(&package))?;
    }
    done(Command::new("cp").arg("-r").arg(source.join("example")).arg(&folder))?;
    let library = std::env::current_exe()?.with_file_name("libsidecar_markers.a");
    let mut build = Command::new("node");
    build.arg(package.join("build.js")).arg(library).arg(root.join("sidecar-markers/include"));
    done(&mut build)?;
    Ok(folder)
}

/// Installs what the lock names, unless it is there.
fn install(example: &Path, folder: &Path) -> Result<()> {
    let lock = std::fs::read(example.join("package-lock.json"))?;
    let mark = folder.join("node_modules/.installed");
    if std::fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(example.join(name), folder.join(name))?;
    }
    done(
        Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder),
    )?;
    Ok(std::fs::write(mark, lock)?)
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(())
}
