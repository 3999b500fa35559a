//! The Unix socket: made for its owner alone, never in anybody's way, and removed at the end.

use std::fs::{DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

/// Others could put a socket of their own in the place of ours.
const OTHERS_WRITE: u32 = 0o022;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another agent answers there.
    #[error("another agent listens on {}; stop it, or configure another path (http.socket)", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// Something else has the name.
    #[error("{} is there and is no socket; move it away, or configure another path (http.socket)", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The directory is open to others.
    #[error(
        "others can write in {} (mode {mode:04o}, user {uid}), so they could replace the socket; configure a path in \
         a directory of its own (http.socket)",
        path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Its owner.
        uid: u32,
    },
    /// The system refuses.
    #[error("can't listen on {}: {source}; configure another path, or none (http.socket)", path.display())]
    System {
        /// The path.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A socket that is listened on. Its drop removes it, if it is still the same.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    name: Name,
}

/// The socket's place; dropped, it is removed.
#[derive(Debug)]
pub(super) struct Name {
    path: PathBuf,
    identity: (u64, u64),
}

impl Socket {
    /// Listens on `path`, mode 0600. A missing directory is made, mode 0700. A socket that is there is replaced only
    /// if nobody listens on it.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let system = |source| SocketError::System { path: path.to_owned(), source };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(system)?;
        // Two agents that start at once take turns; whoever else holds the lock is not waited for long.
        let _turn = turn(directory).map_err(system)?;
        let data = std::fs::metadata(directory).map_err(system)?;
        if data.mode() & OTHERS_WRITE != 0 || !ours(&data) {
            let (mode, uid) = (data.mode() & 0o7777, data.uid());
            return Err(SocketError::Directory { path: directory.to_owned(), mode, uid });
        }
        make_room(path)?;
        let listener = UnixListener::bind(path).map_err(system)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(system)?;
        listener.set_nonblocking(true).map_err(system)?;
        let identity = identity(&std::fs::symlink_metadata(path).map_err(system)?);
        Ok(Self { listener, name: Name { path: path.to_owned(), identity } })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.name.path
    }

    pub(super) fn into_parts(self) -> (UnixListener, Name) {
        (self.listener, self.name)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|data| identity(&data) == self.identity) {
            // Whoever removed it in between did what was to be done.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn make_room(path: &Path) -> Result<(), SocketError> {
    let system = |source| SocketError::System { path: path.to_owned(), source };
    let data = match std::fs::symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
    };
    if !data.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(system)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Also a full backlog (EAGAIN) is somebody who listens.
        Ok(_) | Err(_) => Err(SocketError::InUse { path: path.to_owned() }),
    }
}

fn turn(directory: &Path) -> io::Result<Option<Flock<File>>> {
    let mut file = File::open(directory)?;
    for _ in 0..50 {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((file, _)) => file,
        };
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

fn ours(data: &Metadata) -> bool {
    data.uid() == 0 || data.uid() == nix::unistd::geteuid().as_raw()
}

fn identity(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

#[cfg(test)]
#[path = "unix_tests.rs"]
mod tests;
