//! Images that the exec program knows: told of as known, and new again once they are written to or everything is forgotten.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sidecar_agent::bpf::{LoadOptions, Scope};
use sidecar_agent::elf::{identify, open};
use sidecar_common::{RECORD_EXEC, RECORD_KNOWN};
use sidecar_tests::kernel::session::{Session, options};

fn watching() -> Result<Session> {
    Session::load(&LoadOptions { scope: Scope::Tree, exec_records: true, ..options() })
}

/// A copy of a program that ends at once.
fn copy(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("true");
    std::fs::copy(std::fs::canonicalize("/bin/true")?, &path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Executes it and gives, by its exec record, whether the image was known.
fn is_known(session: &mut Session, program: &Path) -> Result<bool> {
    let mut child = Command::new(program).spawn()?;
    let pid = child.id();
    assert!(child.wait()?.success());
    let records = session.records()?;
    let exec = records.iter().find(|record| record.header.kind == RECORD_EXEC && record.header.pid == pid);
    Ok(exec.context("no record of the exec")?.header.flags & RECORD_KNOWN != 0)
}

pub(crate) fn images() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (program, other) = (copy(folder.path())?, folder.path().join("other"));
    let mut session = watching()?;
    assert!(!is_known(&mut session, &program)?);
    session.kernel.know_image(&identify(&open(&program)?)?)?;
    assert!(is_known(&mut session, &program)?);

    // Another name is another time of change.
    std::fs::rename(&program, &other)?;
    assert!(!is_known(&mut session, &other)?);
    session.kernel.know_image(&identify(&open(&other)?)?)?;
    assert!(is_known(&mut session, &other)?);
    // Another file of the same bytes.
    assert!(!is_known(&mut session, &copy(folder.path())?)?);
    session.kernel.forget_images()?;
    assert!(!is_known(&mut session, &other)?);
    Ok(())
}

/// Written to in place, with its length and its times restored: the kernel's own time of the change tells.
pub(crate) fn rewritten() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = copy(folder.path())?;
    let mut session = watching()?;
    session.kernel.know_image(&identify(&open(&program)?)?)?;
    assert!(is_known(&mut session, &program)?);

    let (bytes, times) = (std::fs::read(&program)?, std::fs::metadata(&program)?);
    let mut file = File::options().write(true).open(&program)?;
    file.write_all(&bytes)?;
    file.set_times(
        std::fs::FileTimes::new().set_accessed(times.accessed()?).set_modified(times.modified()?),
    )?;
    drop(file);
    let after = std::fs::metadata(&program)?;
    assert_eq!((after.len(), after.modified()?), (times.len(), times.modified()?));
    assert!(!is_known(&mut session, &program)?);
    Ok(())
}
