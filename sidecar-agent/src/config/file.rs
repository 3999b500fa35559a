//! The configuration file on disk: the only input and output of this module.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{Config, ConfigError, Override, Sources, environment, load};

/// The file that is read from the working directory when none is named.
pub const DEFAULT_FILE: &str = "sidecar.yml";

/// Longest configuration file in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// A configuration file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileText {
    /// The name, for messages.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Reads what is in force: the file if one is named, this process's environment, and the flags.
///
/// # Errors
/// What [`read_file`], [`environment`] and [`load`] refuse.
pub fn read(path: Option<&Path>, flags: &[Override]) -> Result<Config, ConfigError> {
    let file = path.map(read_file).transpose()?;
    load(&Sources { file: file.as_ref(), env: environment(std::env::vars_os())?, flags })
}

/// Reads a configuration file.
///
/// # Errors
/// The file is missing, unreadable, no regular file, longer than [`MAX_FILE_BYTES`], or not UTF-8.
pub fn read_file(path: &Path) -> Result<FileText, ConfigError> {
    // Opening a FIFO would wait for a writer.
    let mut options = File::options();
    let file = options.read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path);
    text_of(path, file.map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?)
}

/// The text of an open file. Whatever happens to its name meanwhile does no harm.
fn text_of(path: &Path, file: File) -> Result<FileText, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    let not_text = |what| ConfigError::NotText { path: path.to_owned(), what };
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(not_text("no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ConfigError::TooLong { path: path.to_owned(), most: MAX_FILE_BYTES });
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text("not UTF-8"))?;
    Ok(FileText { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_vanishes_while_it_is_read_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sidecar.yml");
        std::fs::write(&path, "enabled: true\n").unwrap();
        let open = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text_of(&path, open).unwrap().text, "enabled: true\n");
        assert!(matches!(read_file(&path), Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn files_without_end_are_not_read() {
        let zero = read_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(zero, "the configuration /dev/zero is no regular file");
        let dir = tempfile::tempdir().unwrap();
        let huge = dir.path().join("huge.yml");
        File::create(&huge).unwrap().set_len(100 << 20).unwrap();
        assert!(read_file(&huge).unwrap_err().to_string().ends_with("is longer than 1048576 bytes"));
    }

    #[test]
    fn what_can_not_be_read_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let missing = read_file(&dir.path().join("none.yml")).unwrap_err().to_string();
        assert!(missing.contains("none.yml: No such file"), "{missing}");
        let directory = read_file(dir.path()).unwrap_err().to_string();
        assert!(directory.ends_with("is no regular file"), "{directory}");

        let long = dir.path().join("long.yml");
        std::fs::write(&long, " ".repeat(MAX_FILE_BYTES as usize + 1)).unwrap();
        assert!(matches!(read_file(&long), Err(ConfigError::TooLong { .. })));
        std::fs::write(&long, " ".repeat(MAX_FILE_BYTES as usize)).unwrap();
        assert!(read_file(&long).is_ok());

        let binary = dir.path().join("binary.yml");
        std::fs::write(&binary, [0xff, 0xfe]).unwrap();
        assert!(read_file(&binary).unwrap_err().to_string().ends_with("is not UTF-8"));

        let fifo = dir.path().join("fifo.yml");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(read_file(&fifo), Err(ConfigError::NotText { .. })));
    }
}
