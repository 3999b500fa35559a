//! Looks at one program, file or library, and attaches what is wanted of it.

use std::{
    fs::File,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{process::Process, say::shown, shared::Shared};
use crate::{
    attach::{Outcome, Reason},
    elf::{ImageId, Limits, SearchPath, identify, libraries, open},
    mapping::is_own_library,
};

/// A program that was looked at.
pub(super) struct Program {
    pub(super) outcome: Outcome,
    pub(super) file: File,
    pub(super) path: PathBuf,
    /// What it was when it was looked at.
    pub(super) id: Option<ImageId>,
}

/// Looks at the program that a process executes, through /proc, so that another mount namespace does not matter. None:
/// it has ended.
pub(super) fn consider_executable(shared: &Shared, process: &Process) -> Option<Program> {
    let (file, path) = process.executable().ok()?;
    // Asked before it is looked at: what is written to it meanwhile makes it another.
    let id = identify(&file).ok();
    let outcome = shared.consider_with(&file, &path, &process.debug_files(&path));
    Some(Program { outcome, file, path, id })
}

/// Looks at a file that the config names: then it is worth a line that there is nothing in it to watch, if `say` is
/// true. `real` is where it is. Whether it has nothing.
pub(super) fn consider_path(shared: &Shared, path: &Path, real: &Path, say: bool) -> bool {
    let file = match open(real) {
        Ok(file) => file,
        Err(error) => {
            cannot_open(path, &error);
            return false;
        }
    };
    let outcome = shared.consider(&file, path);
    consider_libraries(shared, &file, path);
    match outcome {
        Outcome::Refused { reason: reason @ (Reason::Unusable | Reason::Foreign), message, .. } => {
            tracing::warn!("discovery names {}, but ({}) {message}", shown(path), reason.name());
            false
        }
        Outcome::NothingWanted => {
            if say {
                tracing::info!(
                    "discovery names {}, but it has no marker that is known, and no function that is wanted",
                    shown(path)
                );
            }
            true
        }
        // Told already, if it is worth it.
        Outcome::Refused { .. } | Outcome::Attached { .. } | Outcome::AlreadyAttached => false,
    }
}

pub(super) fn cannot_open(path: &Path, error: &io::Error) {
    tracing::warn!("discovery names {}, but it can't be opened: {error}", shown(path));
}

/// Attaches to those libraries that a program needs and that are wanted: by the config, or in any case. Whether there are
/// any.
pub(super) fn consider_libraries(shared: &Shared, file: &File, path: &Path) -> bool {
    let wanted = shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    // A command inherits this process's environment. What the node's other programs were given is not known here.
    let folders = if shared.is_node() { None } else { std::env::var("LD_LIBRARY_PATH").ok() };
    let search = SearchPath::system(folders.as_deref());
    let Ok(needed) = libraries(file, path, &search, &Limits::default()) else { return false };
    let mut any = false;
    for library in needed.found {
        let file_name = library.file_name().unwrap_or_default();
        let is_named = |name: &String| Path::new(name) == library || file_name.to_string_lossy() == *name;
        let is_wanted = is_own_library(file_name.as_bytes()) || wanted.iter().any(is_named);
        any |= is_wanted;
        if is_wanted && let Ok(file) = open(&library) {
            shared.consider(&file, &library);
        }
    }
    any
}
