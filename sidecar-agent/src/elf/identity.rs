//! Which file is which, however many paths lead to it, and whether it is still the same.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, fstatfs};

/// Identity of a file's content, as far as the kernel tells it.
///
/// Any write changes `mtime_ns` and `ctime_ns`. Kernels before 6.13 take both from the timer tick, so two
/// writes within one tick (1 to 10 ms) look like one there; the probes' bytes are compared besides
/// ([`super::sample`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageId {
    /// Device number; [`OVERLAY`] for every overlay file system.
    pub dev: u64,
    /// Inode number; on an overlay without what it may say of the layer.
    pub ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// Last change of the content, nanoseconds since the epoch.
    pub mtime_ns: i64,
    /// Last change of the content or the inode, nanoseconds since the epoch.
    pub ctime_ns: i64,
}

/// Stands for the device of a file on an overlay, as containers have it: the same lower file shows in many of them, each
/// with a device of its own, but the kernel puts a probe on the one file below. Its inode number and times are those of
/// the file below.
pub const OVERLAY: u64 = 0;

/// Identity of an open file (one `fstat` and one `fstatfs`).
///
/// # Errors
/// What `fstat` answers, or `InvalidInput` if it is not a regular file.
pub fn identify(file: &File) -> io::Result<ImageId> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let is_overlay = fstatfs(file).is_ok_and(|found| found.filesystem_type() == OVERLAYFS_SUPER_MAGIC);
    Ok(ImageId {
        dev: if is_overlay { OVERLAY } else { meta.dev() },
        ino: if is_overlay { meta.ino() & 0xffff_ffff } else { meta.ino() },
        size: meta.size(),
        mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
    })
}

/// Device and inode of an open file, on an overlay those that only this overlay has.
///
/// # Errors
/// What `fstat` answers.
pub fn inode(file: &File) -> io::Result<(u64, u64)> {
    file.metadata().map(|meta| (meta.dev(), meta.ino()))
}

const fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// Opens a regular file for reading, without waiting for anybody and without touching pipes and devices.
///
/// # Errors
/// What the system answers, or `InvalidInput` if it is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let refuse = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    // Opening some devices has effects, so look first; the path may change in between, so look again.
    if !std::fs::metadata(path)?.is_file() {
        return Err(refuse());
    }
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn two_paths_to_one_file_have_one_identity() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "x").unwrap();
        std::fs::hard_link(&a, &b).unwrap();
        assert_eq!(identify(&open(&a).unwrap()).unwrap(), identify(&open(&b).unwrap()).unwrap());
    }

    #[test]
    fn a_write_changes_the_identity() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "x").unwrap();
        let before = identify(&open(&path).unwrap()).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"y").unwrap();
        assert_ne!(identify(&open(&path).unwrap()).unwrap(), before);
    }

    #[test]
    fn pipes_devices_and_directories_are_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [fifo.as_path(), dir.path(), Path::new("/dev/zero")] {
            let error = open(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}: {error}", path.display());
        }
        assert!(identify(&File::open("/dev/null").unwrap()).is_err());
    }
}
