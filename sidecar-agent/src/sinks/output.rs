//! The file or standard output that a sink writes to: opened, and found unusable, before anything starts.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Mode of a file that a sink creates (before the umask): the owner writes, the group may read, so that a
/// log shipper needs no root; others may not, because failure messages can hold secrets.
const FILE_MODE: u32 = 0o640;

/// Where a sink writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// The end of a file, which is created if need be.
    Append(PathBuf),
    /// A file, emptied first.
    Replace(PathBuf),
}

/// Why a sink can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file can't be opened for writing.
    #[error("can't open {} for writing: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said, and what to do where that is known.
        reason: String,
    },
    /// Standard output can't be used.
    #[error("can't write events to standard output: {0}")]
    Stdout(#[source] io::Error),
    /// The thread can't be started.
    #[error("can't start a thread for the sink: {0}")]
    Thread(#[source] io::Error),
}

/// An opened target.
pub(super) struct Output {
    pub(super) writer: Box<dyn Write + Send>,
    /// The file ends within a line (of an earlier run that was cut short).
    pub(super) torn: bool,
}

impl Target {
    /// What to call the target in metrics and health.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "stdout".to_owned(),
            Self::Append(path) | Self::Replace(path) => path.display().to_string(),
        }
    }

    pub(super) fn open(&self) -> Result<Output, SinkError> {
        match self {
            Self::Stdout => {
                let fd = io::stdout().as_fd().try_clone_to_owned().map_err(SinkError::Stdout)?;
                Ok(Output { writer: Box::new(Waiting(fd.into())), torn: false })
            }
            Self::Append(path) => open_file(path, OpenOptions::new().append(true)),
            Self::Replace(path) => open_file(path, OpenOptions::new().write(true).truncate(true)),
        }
    }
}

/// `O_NONBLOCK` keeps the open of a FIFO that nobody reads from waiting for ever.
fn open_file(path: &Path, options: &mut OpenOptions) -> Result<Output, SinkError> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
    let refused = |error: io::Error| SinkError::Open { path: path.to_owned(), reason: explain(path, &error) };
    let file = options.create(true).mode(FILE_MODE).custom_flags(flags.bits()).open(path).map_err(refused)?;
    let torn = ends_within_a_line(path, &file);
    Ok(Output { writer: Box::new(Waiting(file)), torn })
}

fn explain(path: &Path, error: &io::Error) -> String {
    let fifo = || path.metadata().is_ok_and(|found| found.file_type().is_fifo());
    match error.raw_os_error().map(nix::errno::Errno::from_raw) {
        Some(nix::errno::Errno::ENOENT) => format!("{error}: does its directory exist?"),
        Some(nix::errno::Errno::ENXIO) if fifo() => {
            "it is a FIFO that nobody reads: start the reader first".to_owned()
        }
        Some(_) | None => error.to_string(),
    }
}

/// An unreadable file is taken as whole: the worst that follows is one line glued to a torn one.
fn ends_within_a_line(path: &Path, file: &File) -> bool {
    let Ok(found) = file.metadata() else { return false };
    if !found.is_file() || found.len() == 0 {
        return false;
    }
    let mut last = [0; 1];
    File::open(path)
        .is_ok_and(|read| read.read_exact_at(&mut last, found.len() - 1).is_ok() && last != *b"\n")
}

/// A descriptor that may be non-blocking (a FIFO opened above, or a standard output that another program
/// made so): waits until it can be written. Only the sink's own thread waits.
struct Waiting(File);

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn reason(target: &Target) -> String {
        target.open().err().unwrap().to_string()
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_an_error_with_path_and_reason() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/such/dir.jsonl");
        let said = reason(&Target::Append(missing.clone()));
        assert!(said.contains(&missing.display().to_string()), "{said}");
        assert!(said.contains("No such file") && said.contains("directory exist"), "{said}");
        let said = reason(&Target::Replace(dir.path().to_owned()));
        assert!(said.contains("Is a directory"), "{said}");
    }

    #[test]
    fn a_fifo_without_a_reader_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let said = reason(&Target::Append(path));
        assert!(said.contains("FIFO that nobody reads"), "{said}");
    }

    #[test]
    fn a_created_file_is_closed_to_others_and_replace_empties_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        Target::Append(path.clone()).open().unwrap().writer.write_all(b"{}\n").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o007, 0);
        Target::Append(path.clone()).open().unwrap().writer.write_all(b"{}\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n{}\n");
        drop(Target::Replace(path.clone()).open().unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_file_cut_short_by_an_earlier_run_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        for (content, torn) in [("", false), ("{}\n", false), ("{\"a\":", true)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Target::Append(path.clone()).open().unwrap().torn, torn, "{content:?}");
        }
    }
}
