//! Strings in memory that this process has never touched: pages of a file, mapped just before the marker.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use sidecar_tests::kernel::raw;

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;

/// Addresses that nobody has and that can't be read.
pub(crate) fn reserve(len: usize) -> Result<*mut u8> {
    // SAFETY: a new mapping at an address that the kernel chooses touches no memory in use.
    let start = unsafe {
        libc::mmap(std::ptr::null_mut(), len, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    ensure!(start != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
    Ok(start.cast())
}

/// Strings in a file, two pages each.
pub(crate) struct Texts {
    file: File,
    /// Where a string begins in its first page.
    start: usize,
}

impl Texts {
    /// Writes the strings, each `start` bytes into its pages.
    pub(crate) fn new(texts: &[String], start: usize) -> Result<Self> {
        let program = std::env::current_exe()?;
        let folder = program.parent().context("the program's folder")?;
        let path = folder.join(format!("texts-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        std::fs::remove_file(path)?;
        file.set_len((texts.len() * 2 * PAGE) as u64)?;
        for (i, text) in texts.iter().enumerate() {
            file.write_all_at(text.as_bytes(), (i * 2 * PAGE + start) as u64)?;
        }
        Ok(Self { file, start })
    }

    /// Maps string `i` and gives its address. Of its two pages the second is cold; the first too, unless the string
    /// begins behind its middle.
    pub(crate) fn map(&self, i: usize) -> Result<u64> {
        let offset = libc::off_t::try_from(i * 2 * PAGE)?;
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory in use.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                self.file.as_raw_fd(),
                offset,
            )
        };
        ensure!(start != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        let start = start.cast::<u8>();
        if self.start > PAGE / 2 {
            // SAFETY: the pages were mapped just now; the advice takes the second one out again, which a look at the
            // first may have brought in with it.
            unsafe {
                start.read_volatile();
                let result = libc::madvise(start.add(PAGE).cast(), PAGE, libc::MADV_DONTNEED);
                ensure!(result == 0, "madvise: {}", std::io::Error::last_os_error());
            }
        }
        Ok(start as u64 + self.start as u64)
    }
}

/// Fires `hit` with cold strings. With `straddle` they begin on a page that is there and end on one that is not.
pub(crate) fn fire(count: u64, straddle: bool) -> Result<()> {
    let texts: Vec<String> = (0..count).map(|i| format!("cold string number {i}")).collect();
    let texts = Texts::new(&texts, if straddle { PAGE - 10 } else { 0 })?;
    for i in 0..count {
        raw::hit(i, texts.map(usize::try_from(i)?)?, 0, 0, 0, 0);
    }
    Ok(())
}
