//! Writes an archive as the kernel unpacks it at boot: cpio in its `newc` form.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// The kind bits of a mode.
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
/// The name of the entry that ends an archive.
const END: &str = "TRAILER!!!";

/// Writes everything below `root`, which becomes `/`, owned by root.
pub(super) fn write(root: &Path, out: &mut impl Write) -> Result<()> {
    let mut archive = Archive { out, number: 0 };
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root.join(&folder))
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .with_context(|| root.join(&folder).display().to_string())?;
        let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
        names.sort();
        for name in names {
            let path = folder.join(name);
            archive.entry(root, &path).with_context(|| root.join(&path).display().to_string())?;
            if root.join(&path).symlink_metadata()?.is_dir() {
                folders.push(path);
            }
        }
    }
    archive.header(END, 0, 0)?;
    Ok(())
}

struct Archive<'a, W> {
    out: &'a mut W,
    number: u32,
}

impl<W: Write> Archive<'_, W> {
    fn entry(&mut self, root: &Path, path: &Path) -> Result<()> {
        let Some(name) = path.to_str() else { bail!("its name is not UTF-8") };
        let source = root.join(path);
        let metadata = source.symlink_metadata()?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            self.header(name, FOLDER | mode, 0)
        } else if metadata.is_symlink() {
            let target = fs::read_link(&source)?;
            let Some(target) = target.to_str() else { bail!("what it leads to is not UTF-8") };
            self.header(name, LINK | 0o777, target.len() as u64)?;
            self.body(&mut target.as_bytes(), target.len() as u64)
        } else if metadata.is_file() {
            self.header(name, FILE | mode, metadata.len())?;
            self.body(&mut fs::File::open(&source)?, metadata.len())
        } else {
            bail!("it is neither a folder, a file nor a link")
        }
    }

    /// Fields of eight hexadecimal digits, then the name with its NUL, padded to four bytes.
    fn header(&mut self, name: &str, mode: u32, size: u64) -> Result<()> {
        let size = u32::try_from(size).context("it is too long for the archive")?;
        self.number += 1;
        let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
        let fields = [self.number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, u32::try_from(name.len() + 1)?, 0];
        let mut header = b"070701".to_vec();
        for field in fields {
            write!(header, "{field:08x}")?;
        }
        header.extend_from_slice(name.as_bytes());
        header.push(0);
        header.resize(header.len().next_multiple_of(4), 0);
        Ok(self.out.write_all(&header)?)
    }

    fn body(&mut self, from: &mut impl io::Read, size: u64) -> Result<()> {
        let copied = io::copy(from, self.out)?;
        anyhow::ensure!(copied == size, "it changed while it was read");
        let padding = size.next_multiple_of(4) - size;
        Ok(self.out.write_all(&[0; 3][..padding as usize])?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_before_what_is_in_them_and_the_archive_ends() {
        let root = std::env::temp_dir().join(format!("sidecar-cpio-{}", std::process::id()));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "hello").unwrap();
        std::os::unix::fs::symlink("a/b", root.join("link")).unwrap();
        let mut archive = Vec::new();
        write(&root, &mut archive).unwrap();
        fs::remove_dir_all(&root).unwrap();

        assert_eq!(archive.len() % 4, 0);
        let text = String::from_utf8_lossy(&archive);
        let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("no {name} in {text}"));
        assert!(at("\0\x00070701") > 0 && text.matches("070701").count() == 5, "{text}");
        let order = [at("a\0"), at("link\0"), at("a/b\0\0"), at("a/b/file\0"), at(END)];
        assert!(order.is_sorted(), "{order:?}: {text}");
        assert!(text.contains("hello\0\0\x00070701"), "{text}");
        assert!(text.contains("link\0\0a/b\x00070701"), "{text}");
    }

    #[test]
    fn what_is_no_file_is_refused_by_name() {
        let root = std::env::temp_dir().join(format!("sidecar-cpio-socket-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        let error = write(&root, &mut io::sink()).unwrap_err();
        drop(socket);
        fs::remove_dir_all(&root).unwrap();
        assert!(format!("{error:#}").contains("/socket: it is neither"), "{error:#}");
    }
}
