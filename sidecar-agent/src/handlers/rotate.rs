//! A file of lines that is rotated by size and age: PATH becomes PATH.1, that PATH.2, and so on to the number that
//! is kept. A file that somebody else moved or deleted is opened anew. No line is ever split between files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Mode of a new file (before the umask), as for sinks.
const FILE_MODE: u32 = 0o640;
/// A rotation that failed is tried again after this time; meanwhile the file grows.
const ROTATE_AGAIN: Duration = Duration::from_secs(10);

/// When a file is rotated, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    pub(super) max_age: Option<Duration>,
    pub(super) keep: u64,
}

/// The file. `write` takes lines, whole or not, and never more at once than belongs into one file.
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    open: Option<Open>,
    rotate_after: Option<Instant>,
    /// What goes wrong without any line being lost.
    trouble: Box<dyn FnMut(String) + Send>,
}

struct Open {
    file: File,
    identity: (u64, u64),
    /// Only regular files are rotated.
    regular: bool,
    size: u64,
    /// When it became as old as it is: now less its age.
    born: Instant,
    at_line_start: bool,
}

impl RotatingFile {
    pub(super) fn new(path: &Path, rotation: Rotation, trouble: impl FnMut(String) + Send + 'static) -> Self {
        let trouble = Box::new(trouble);
        Self { path: path.to_owned(), rotation, open: None, rotate_after: None, trouble }
    }

    /// Opens the file if it is not open; says why it can't be.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        self.opened().map(|_| ())
    }

    /// The open file that the path names now.
    fn opened(&mut self) -> io::Result<&mut Open> {
        let named = fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()));
        if self.open.as_ref().is_some_and(|open| Some(open.identity) != named) {
            self.open = None;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.path)?,
        };
        Ok(self.open.insert(open))
    }

    /// Whether so many bytes more are too many for the file, or it is too old for any.
    fn is_due(&self, more: u64) -> bool {
        let Some(open) = &self.open else { return false };
        let old = || self.rotation.max_age.is_some_and(|most| open.born.elapsed() >= most);
        open.regular
            && open.at_line_start
            && open.size > 0
            && (open.size.saturating_add(more) > self.rotation.max_bytes || old())
            && self.rotate_after.is_none_or(|at| Instant::now() >= at)
    }

    fn rotate(&mut self) {
        match shift(&self.path, self.rotation.keep) {
            Ok(()) => {
                self.open = None;
                self.rotate_after = None;
            }
            Err(error) => {
                self.rotate_after = Some(Instant::now() + ROTATE_AGAIN);
                (self.trouble)(format!("can't rotate {}: {error}; the file grows on", self.path.display()));
            }
        }
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.opened()?;
        let first = line_end(bytes);
        if self.is_due(first as u64) {
            self.rotate();
        }
        let most = self.rotation.max_bytes;
        let open = self.opened()?;
        if open.size == 0 && bytes.first() == Some(&b'\n') {
            // It was to end a line of the file that was here before.
            return Ok(1);
        }
        let part = if open.at_line_start && open.regular {
            // As many whole lines as fit, but one at least.
            let room = usize::try_from(most.saturating_sub(open.size)).unwrap_or(usize::MAX).min(bytes.len());
            let lines = bytes[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            lines.max(first)
        } else {
            first
        };
        open.write(&bytes[..part])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Open {
    /// `O_NONBLOCK`: neither the open nor a write may wait for the reader of a FIFO.
    fn at(path: &Path) -> io::Result<Self> {
        let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(FILE_MODE).custom_flags(flags.bits());
        // Reading shows whether the last line is whole; who may not read writes all the same.
        let file = options.clone().read(true).open(path).or_else(|_| options.open(path))?;
        let found = file.metadata()?;
        let age = found.created().or_else(|_| found.modified()).ok();
        let age = age.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        let mut open = Self {
            identity: (found.dev(), found.ino()),
            regular: found.is_file(),
            size: if found.is_file() { found.len() } else { 0 },
            born: Instant::now().checked_sub(age).unwrap_or_else(Instant::now),
            at_line_start: true,
            file,
        };
        if open.size > 0 {
            open.end_torn_line()?;
        }
        Ok(open)
    }

    /// A run that was cut short can have left half a line.
    fn end_torn_line(&mut self) -> io::Result<()> {
        let mut last = [0; 1];
        if self.file.read_exact_at(&mut last, self.size - 1).is_ok() && last != *b"\n" {
            self.at_line_start = false;
            self.write(b"\n")?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        if let Some(last) = bytes[..count].last() {
            self.at_line_start = *last == b'\n';
            self.size += if self.regular { count as u64 } else { 0 };
        }
        Ok(count)
    }
}

/// Where the first line ends, its newline included.
fn line_end(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1)
}

/// PATH.1 becomes PATH.2 and so on, the last one goes, and PATH becomes PATH.1.
fn shift(path: &Path, keep: u64) -> io::Result<()> {
    let numbered = |number: u64| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    // Only up to the first gap: nothing behind it has to move, and nothing is lost.
    let gap = (1..keep).find(|number| fs::symlink_metadata(numbered(*number)).is_err()).unwrap_or(keep);
    for number in (1..gap).rev() {
        fs::rename(numbered(number), numbered(number + 1))?;
    }
    fs::rename(path, numbered(1))
}
