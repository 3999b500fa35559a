//! The guest's files: programs of this machine with the libraries that they load.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::guest;
use super::programs::Programs;
use crate::process;

/// What the tests and the guest's first process run. What this machine lacks, the guest lacks too.
const TOOLS: [&str; 34] = [
    "bash", "cat", "chmod", "cp", "dd", "echo", "env", "false", "grep", "head", "id", "ip", "ls", "mkdir",
    "mkfifo", "mount", "nice", "prlimit", "ps", "rm", "sed", "seq", "setpriv", "setsid", "sh", "sleep",
    "stty", "tail", "test", "timeout", "touch", "true", "umount", "unshare",
];

/// Where the guest's programs are.
const TOOLS_FOLDER: &str = "usr/bin";

/// Empty folders that the guest mounts on or writes to.
const FOLDERS: [&str; 8] = ["dev", "etc", "proc", "root", "run", "sys", "tmp", TOOLS_FOLDER];

/// A folder that becomes the guest's root.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An empty tree in place of what was at `root`.
    fn new(root: PathBuf) -> Result<Self> {
        if root.exists() {
            fs::remove_dir_all(&root).with_context(|| root.display().to_string())?;
        }
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder))?;
        }
        symlink(TOOLS_FOLDER, root.join("bin"))?;
        symlink("usr/bin", root.join("sbin"))?;
        Ok(Self { root })
    }

    /// The tree with everything in it.
    pub(super) fn fill(root: PathBuf, programs: &Programs, object: &Path) -> Result<Self> {
        let tree = Self::new(root)?;
        for tool in TOOLS {
            if let Some(path) = process::which(tool) {
                tree.program(&path, &Path::new(TOOLS_FOLDER).join(tool))?;
            }
        }
        let home = Path::new(guest::PROGRAMS);
        tree.stripped(&programs.agent, &home.join("sidecar"))?;
        for (name, path) in &programs.targets {
            tree.stripped(path, &home.join(name))?;
        }
        for (name, path) in &programs.tests {
            tree.stripped(path, &home.join("deps").join(name))?;
        }
        tree.copy(object, Path::new(guest::OBJECT))?;
        tree.text(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
            0o644,
        )?;
        tree.text("etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644)?;
        tree.text("init", guest::INIT, 0o755)?;
        Ok(tree)
    }

    /// A file with this text.
    pub(super) fn text(&self, name: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.root.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(mode))?)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A program without what only debuggers read, which is most of it.
    fn stripped(&self, program: &Path, place: &Path) -> Result<()> {
        self.program(program, place)?;
        let target = self.inside(place);
        process::success(Command::new("strip").arg("--strip-debug").arg(&target))
    }

    /// A program and the libraries that it loads, each where the loader looks for it.
    fn program(&self, program: &Path, place: &Path) -> Result<()> {
        self.copy(program, place)?;
        // A program that is linked statically, or is no program but a script, has none: then ldd fails.
        let Ok(output) = Command::new("ldd").arg(program).output() else { return Ok(()) };
        for library in libraries(&String::from_utf8_lossy(&output.stdout)) {
            if !self.inside(library).exists() {
                self.copy(library, library)?;
            }
        }
        Ok(())
    }

    fn copy(&self, from: &Path, place: &Path) -> Result<()> {
        let to = self.inside(place);
        fs::create_dir_all(to.parent().context("a place in a folder")?)?;
        fs::copy(from, &to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
        Ok(())
    }

    fn inside(&self, place: &Path) -> PathBuf {
        self.root.join(place.strip_prefix("/").unwrap_or(place))
    }
}

/// The libraries' paths in what ldd prints: `NAME => PATH (ADDRESS)`, or `PATH (ADDRESS)` for the loader.
fn libraries(printed: &str) -> Vec<&Path> {
    let path = |word: &&str| word.starts_with('/');
    printed
        .lines()
        .filter_map(|line| line.split_whitespace().find(path))
        .map(|word| Path::new(OsStr::new(word)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_found_in_what_ldd_prints() {
        let printed = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x1)\n\
                       \tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x2)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(printed), expected.map(Path::new));
        assert!(libraries("\tnot a dynamic executable\n").is_empty());
    }
}
