//! Opens files as a process in another root sees them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::open;

/// Opens a regular file by a path within a root (`/proc/PID/root`): links, and `..`, stay in the root. Nothing
/// else is touched, and nobody waited for.
///
/// # Errors
/// What the system answers, or `InvalidInput` if it is not a regular file.
pub fn open_in(root: &Path, inside: &Path) -> io::Result<File> {
    let folder = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let folder = OpenOptions::new().read(true).custom_flags(folder.bits()).open(root)?;
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let place = openat2(&folder, inside, how).map_err(io::Error::from)?;
    // The same file, now for reading; its path is not looked at again.
    open(Path::new(&format!("/proc/self/fd/{}", place.as_raw_fd())))
}
