//! A virtual environment with pytest, what belongs to it, and the client as pip installs it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// What the tests are run with.
const PACKAGES: [&str; 6] = [
    "setuptools==80.9.0",
    "wheel==0.45.1",
    "pytest==9.2.0",
    "pytest-xdist==3.8.0",
    "pytest-rerunfailures==16.7",
    "robotframework==7.3.2",
];

/// The environment.
pub(crate) struct Environment {
    folder: PathBuf,
}

/// The client's sources.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/python")
}

/// Why it can't be tested here.
pub(crate) fn obstacle() -> Option<&'static str> {
    let there = Command::new("python3").args(["-c", "import venv, ensurepip"]).output();
    match there {
        Ok(output) if output.status.success() => None,
        _ => Some("python3 with venv is not there (Debian: python3-venv, python3-dev)"),
    }
}

/// The environment, made by the first that asks.
///
/// # Errors
/// What pip says.
pub(crate) fn get() -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| make().map_err(|error| format!("{error:#}")));
    made.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?} ended with {}: {}", output.status, said());
    Ok(())
}

/// A library that cargo has built beside this test.
fn library() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let path = own.with_file_name("libsidecar_markers.a");
    ensure!(path.is_file(), "{} is missing", path.display());
    Ok(path)
}

fn make() -> Result<Environment> {
    let target = std::env::current_exe()?;
    // target/PROFILE/deps/PROGRAM
    let target = target.ancestors().nth(3).context("the target folder")?.join("clients");
    std::fs::create_dir_all(&target)?;
    let environment = Environment { folder: target.join("python") };
    // Other test programs may be at it.
    let lock = File::create(target.join("python.lock"))?;
    lock.lock()?;
    let wanted = PACKAGES.join("\n");
    let stamp = environment.folder.join("packages");
    if std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        let _ = std::fs::remove_dir_all(&environment.folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment.folder))?;
        run(environment.pip().args(PACKAGES))?;
        std::fs::write(&stamp, wanted)?;
    }
    // From a copy, so that nothing is built among the sources; what a build before left would be taken for new.
    let copy = tempfile::tempdir()?;
    run(Command::new("cp").arg("-r").arg(sources()).arg(copy.path().join("python")))?;
    for left in ["build", "src/sidecar_runtime.egg-info"] {
        let _ = std::fs::remove_dir_all(copy.path().join("python").join(left));
    }
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sidecar-markers/include").canonicalize()?;
    run(environment
        .pip()
        .args(["--no-build-isolation", "--no-deps", "--force-reinstall"])
        .arg(copy.path().join("python"))
        .env("SIDECAR_LIBRARY", library()?)
        .env("SIDECAR_INCLUDE", header))?;
    Ok(environment)
}

impl Environment {
    fn pip(&self) -> Command {
        let mut command = Command::new(self.python());
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        command
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// The file of the extension.
    ///
    /// # Errors
    /// When it was not built.
    pub(crate) fn extension(&self) -> Result<PathBuf> {
        let script = "import sidecar_runtime._sidecar_native as native; print(native.__file__)";
        let output = Command::new(self.python()).args(["-c", script]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
    }
}
