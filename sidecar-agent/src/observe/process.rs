//! One process as /proc shows it: what it executes, and which files' code it has mapped.
//!
//! Its folder is opened once: whatever is read through it is of this process, also when its id is somebody else's by
//! now. What a process mounts over its own /proc is not what is looked at here.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::OpenOptionsExt,
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat, readlinkat},
    sys::stat::Mode,
};

use crate::elf::DebugFiles;

/// Most bytes of a list of mappings that are read: some 80,000 of them, which is more than the kernel allows by default.
const MOST_MAPS: u64 = 8 << 20;

/// A process, alive or not.
#[derive(Debug)]
pub(super) struct Process {
    folder: File,
}

/// A file whose code is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mapped<'m> {
    /// `START-END`, by which the mapping is opened.
    range: &'m str,
    /// Device and inode as the list has them: the same file's are the same in every process.
    pub(super) key: &'m [u8],
    /// Where it was when it was mapped, as its process calls it.
    pub(super) path: &'m Path,
}

impl Process {
    /// The process that has this id now.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let folder = File::options().read(true).custom_flags(flags.bits()).open(format!("/proc/{pid}"))?;
        Ok(Self { folder })
    }

    fn file(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let descriptor: OwnedFd = openat(&self.folder, name, flags, Mode::empty())?;
        Ok(descriptor.into())
    }

    /// The file that it executes and the file's path, as its process calls it: only for people.
    ///
    /// # Errors
    /// When it has ended, or is the kernel's own.
    pub(super) fn executable(&self) -> io::Result<(File, PathBuf)> {
        let file = self.file("exe")?;
        let path = readlinkat(&self.folder, "exe")
            .map_or_else(|_| "(unknown)".into(), |path| PathBuf::from(OsStr::from_bytes(&path.into_vec())));
        Ok((file, path))
    }

    /// Where the debug file of what it executes or has mapped may be, by a path as it calls it: as it sees it, then on this
    /// machine.
    pub(super) fn debug_files(&self, path: &Path) -> DebugFiles {
        // Through its open folder, for its id may be somebody else's by now.
        let root = format!("/proc/self/fd/{}/root", self.folder.as_raw_fd());
        DebugFiles::in_root(Path::new(&root), path)
    }

    /// Whether its paths lead elsewhere than this process's: it has another mount namespace, or another root.
    pub(super) fn is_elsewhere(&self) -> bool {
        ["ns/mnt", "root"].into_iter().any(|name| {
            let own = std::fs::read_link(Path::new("/proc/self").join(name));
            let its = readlinkat(&self.folder, name);
            matches!((own, its), (Ok(own), Ok(its)) if own.as_os_str() != its)
        })
    }

    /// The list of its mappings.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn maps(&self) -> io::Result<Vec<u8>> {
        let mut maps = Vec::new();
        self.file("maps")?.take(MOST_MAPS).read_to_end(&mut maps)?;
        Ok(maps)
    }

    /// The very file that it has mapped, whatever has happened to the file's name meanwhile.
    ///
    /// # Errors
    /// When the mapping is gone, or the agent has no right to follow it.
    pub(super) fn open_mapped(&self, mapped: &Mapped<'_>) -> io::Result<File> {
        self.file(&format!("map_files/{}", mapped.range))
    }
}

/// The files whose code is mapped, each once. Lines that are not understood are passed over.
pub(super) fn mapped(maps: &[u8]) -> impl Iterator<Item = Mapped<'_>> {
    let mut seen = HashSet::new();
    maps.split(|&byte| byte == b'\n').filter_map(move |line| {
        let mut words = line.splitn(4, |&byte| byte == b' ');
        let (range, rights, _, rest) = (words.next()?, words.next()?, words.next()?, words.next()?);
        // DEVICE INODE, blanks, PATH.
        let device = rest.iter().position(|&byte| byte == b' ')? + 1;
        let inode = rest.get(device..)?.iter().position(|&byte| byte == b' ')?;
        let (key, path) = rest.split_at_checked(device + inode)?;
        let path = path.trim_ascii_start();
        let is_code = rights.contains(&b'x') && !key.ends_with(b" 0") && path.starts_with(b"/");
        (is_code && seen.insert(key)).then_some(Mapped {
            key,
            range: std::str::from_utf8(range).ok()?,
            path: Path::new(OsStr::from_bytes(path)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_files_is_listed_once_and_nothing_else() {
        let maps = b"5581-5582 r--p 00000000 08:01 42                         /usr/bin/program
5582-5584 r-xp 00001000 08:01 42                         /usr/bin/program
5590-5591 r-xp 00000000 00:00 0                          [vdso]
55a0-55a1 rwxp 00000000 00:00 0 
6000-6001 r-xp 00000000 00:2e 7                          /tmp/with space (deleted)
6001-6002 r-xp 00001000 00:2e 7                          /tmp/with space (deleted)
7000-7001 r--p 00000000 08:01 43                         /usr/lib/data
7100-7101 rwxs 00000000 00:05 44                         /dev/zero
nonsense
7200-7201 r-xp 0 08:01";
        let found: Vec<_> = mapped(maps).map(|m| (m.range, m.path.to_str().unwrap())).collect();
        let expected = [
            ("5582-5584", "/usr/bin/program"),
            ("6000-6001", "/tmp/with space (deleted)"),
            ("7100-7101", "/dev/zero"),
        ];
        assert_eq!(found, expected);
        assert_eq!(mapped(b"").count(), 0);
    }

    #[test]
    fn this_process_and_one_that_is_gone() {
        let own = Process::open(std::process::id()).unwrap();
        let (file, path) = own.executable().unwrap();
        assert!(file.metadata().unwrap().is_file());
        assert_eq!(path, std::env::current_exe().unwrap());
        assert!(!own.is_elsewhere());
        let maps = own.maps().unwrap();
        let mapped: Vec<_> = mapped(&maps).collect();
        assert!(mapped.iter().any(|mapped| mapped.path == path));

        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // Its folder is still open, and stays its own whoever has the id now.
        assert!(process.executable().is_err());
        assert!(process.maps().map_or(true, |maps| maps.is_empty()));
        assert!(Process::open(child.id()).is_err());
    }
}
