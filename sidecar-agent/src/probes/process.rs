//! The program and the libraries of a running process, as it sees them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::error::InspectError;
use super::report::{Report, Target, Unread};
use crate::elf::{DebugFiles, FunctionPattern, open, open_in};

/// Most files of one process that are shown.
const MOST_FILES: usize = 1_024;
/// Longest list of mappings that is read, in bytes.
const MOST_MAPS: u64 = 16 << 20;

/// A process. Its folder in /proc is held open, so that its number can't come to mean another one.
pub(super) struct Process {
    pid: u32,
    folder: File,
}

/// A file that a process has mapped with the right to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapped {
    /// Its first such mapping, as `map_files` names it.
    range: String,
    inode: u64,
    /// Its path as the process sees it.
    path: PathBuf,
}

impl Process {
    pub(super) fn open(pid: u32) -> Result<Self, InspectError> {
        let flags = (OFlag::O_PATH | OFlag::O_DIRECTORY).bits();
        match OpenOptions::new().read(true).custom_flags(flags).open(format!("/proc/{pid}")) {
            Ok(folder) => Ok(Self { pid, folder }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(InspectError::NoProcess { pid }),
            Err(source) => Err(InspectError::Denied { pid, source }),
        }
    }

    /// What can be probed in it.
    pub(super) fn report(&self, patterns: &[FunctionPattern]) -> Result<Report, InspectError> {
        let program = std::fs::read_link(self.path("exe")).map_err(|error| self.wrong(error))?;
        let program_file = open(&self.path("exe")).map_err(|error| self.wrong(error))?;
        let inode = program_file.metadata().map_err(|error| self.wrong(error))?.ino();
        let root = self.path("root");
        let target =
            Target { file: &program_file, path: &program, debug: DebugFiles::in_root(&root, &program) };
        let mut report = Report::of_file(&target, patterns).map_err(|error| self.ended().unwrap_or(error))?;
        report.process = Some(self.pid);
        let mapped = mapped(&self.maps()?);
        let left = mapped.len().saturating_sub(MOST_FILES);
        for file in mapped.into_iter().filter(|file| file.inode != inode).take(MOST_FILES) {
            match self.mapped_file(&file) {
                Ok(opened) => {
                    let debug = DebugFiles::in_root(&root, &file.path);
                    report.add(&Target { file: &opened, path: &file.path, debug }, patterns);
                }
                Err(why) => report.unread.push(Unread { path: file.path.display().to_string(), why }),
            }
        }
        if left > 0 {
            let why = format!("more than the limit of {MOST_FILES} files");
            report.unread.push(Unread { path: format!("{left} more"), why });
        }
        let (held, shown) = (self.path("").display().to_string(), format!("/proc/{}/", self.pid));
        report.rename(&held, &shown);
        // Only a process that is still there was wholly seen.
        self.ended().map_or(Ok(report), Err)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.folder.as_raw_fd()))
    }

    /// The mappings, which take a system call a page.
    fn maps(&self) -> Result<Vec<u8>, InspectError> {
        let mut bytes = Vec::new();
        let read =
            File::open(self.path("maps")).and_then(|file| file.take(MOST_MAPS).read_to_end(&mut bytes));
        read.map_err(|error| self.wrong(error))?;
        Ok(bytes)
    }

    /// The mapped file itself, also where its path leads to another one by now; that takes privilege.
    fn mapped_file(&self, file: &Mapped) -> Result<File, String> {
        if let Ok(opened) = open(&self.path("map_files").join(&file.range)) {
            return Ok(opened);
        }
        let opened = open_in(&self.path("root"), &file.path).map_err(|error| error.to_string())?;
        match opened.metadata() {
            Ok(meta) if meta.ino() == file.inode => Ok(opened),
            Ok(_) => Err("the file at this path is not the one that the process has mapped".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The error if the process has ended by now.
    fn ended(&self) -> Option<InspectError> {
        // A process that nobody has waited for yet has a state, but no program.
        std::fs::read_link(self.path("exe")).is_err().then_some(InspectError::Ended { pid: self.pid })
    }

    fn wrong(&self, source: io::Error) -> InspectError {
        let pid = self.pid;
        let has_state = std::fs::read(self.path("stat")).is_ok();
        match source.kind() {
            io::ErrorKind::PermissionDenied => InspectError::Denied { pid, source },
            _ if !has_state => InspectError::Ended { pid },
            io::ErrorKind::NotFound => InspectError::NoProgram { pid },
            _ if source.raw_os_error() == Some(Errno::ESRCH as i32) => InspectError::Ended { pid },
            _ => InspectError::Denied { pid, source },
        }
    }
}

/// The executable files in a list of mappings (proc_pid_maps(5)), each once, in the order of their paths.
fn mapped(maps: &[u8]) -> Vec<Mapped> {
    let mut files = BTreeMap::new();
    for line in maps.split(|&byte| byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else { continue };
        let mut fields = line.splitn(6, ' ');
        let (Some(range), Some(rights), Some(_), Some(device), Some(inode), Some(path)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let path = path.trim_start_matches(' ');
        let inode = inode.parse().unwrap_or(0);
        if rights.contains('x') && inode != 0 && path.starts_with('/') {
            // A newline in a path is written as \012.
            let path = PathBuf::from(path.replace("\\012", "\n"));
            let mapped = Mapped { range: range.to_owned(), inode, path: path.clone() };
            files.entry((path, device.to_owned(), inode)).or_insert(mapped);
        }
    }
    files.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_mappings_of_files_are_taken_once_and_nothing_else() {
        let maps = "\
00400000-00401000 r--p 00000000 fd:00 11                         /bin/a b
00401000-00402000 r-xp 00001000 fd:00 11                         /bin/a b
00402000-00403000 r-xp 00001000 fd:00 11                         /bin/a b
7f0000000000-7f0000001000 r-xp 00000000 00:00 0                  [vdso]
7f0000002000-7f0000003000 r-xp 00000000 00:00 0
7f0000004000-7f0000005000 r-xp 00000000 00:1f 12                 /lib/x\\012y.so (deleted)
7f0000006000-7f0000007000 rw-p 00000000 00:1f 13                 /lib/data
nonsense
";
        let found = mapped(maps.as_bytes());
        let paths: Vec<_> = found.iter().map(|file| (file.path.to_str().unwrap(), file.inode)).collect();
        assert_eq!(paths, [("/bin/a b", 11), ("/lib/x\ny.so (deleted)", 12)]);
        assert_eq!(found[0].range, "00401000-00402000");
        assert_eq!(mapped(b"\xff\xff \n\n"), []);
    }

    #[test]
    fn a_process_that_vanishes_between_two_reads_is_said_in_one_line() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        assert!(process.report(&[]).is_ok());
        child.kill().unwrap();
        child.wait().unwrap();
        let error = process.report(&[]).unwrap_err();
        assert_eq!(error.to_string(), format!("process {} ended while it was inspected", child.id()));
        assert!(matches!(process.maps(), Err(InspectError::Ended { .. })));
        assert!(process.ended().is_some());
        assert!(matches!(Process::open(child.id()), Err(InspectError::NoProcess { .. })));
    }

    #[test]
    fn a_thread_of_the_kernel_runs_no_program() {
        // Process 2 starts the kernel's threads; in a pid namespace of its own it is somebody else, or nobody.
        let name = std::fs::read_to_string("/proc/2/comm").unwrap_or_default();
        if name.trim() != "kthreadd" {
            println!(
                "SKIPPED a_thread_of_the_kernel_runs_no_program: process 2 is no thread of the kernel here"
            );
            return;
        }
        let error = Process::open(2).unwrap().report(&[]).unwrap_err();
        assert!(matches!(error, InspectError::NoProgram { .. } | InspectError::Denied { .. }), "{error}");
    }
}
