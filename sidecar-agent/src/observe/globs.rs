//! The globs of `discovery.files`: which files they match, which folders lie on the way to those, and a walk over both
//! that is bounded, never leaves this machine and opens nothing.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

use super::{remote::Remote, say::shown};

/// Files that the globs may match.
pub(super) const MOST_FILES: usize = 10_000;
/// Folder entries that one walk looks at.
const MOST_ENTRIES: usize = 1_000_000;
/// Folders below the first wildcard.
const DEEPEST: usize = 16;

/// What is known of one glob.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    text: String,
    matcher: GlobMatcher,
    /// The folder before the first wildcard.
    pub(super) base: PathBuf,
    /// What a folder that is so many steps below the base has to match.
    levels: Vec<GlobMatcher>,
    /// Further down, any folder does.
    open: bool,
}

impl Wanted {
    fn new(text: &str) -> Result<Self, globset::Error> {
        let build =
            |text: &str| Ok(GlobBuilder::new(text).literal_separator(true).build()?.compile_matcher());
        // Two slashes in a row are one, as in any path.
        let whole: PathBuf = Path::new(text).components().collect();
        let matcher = build(&whole.to_string_lossy())?;
        let is_plain =
            |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{', '\\']);
        let parts: Vec<_> = Path::new(text).components().collect();
        let folders = parts.len().saturating_sub(1);
        let plain = parts.iter().take(folders).take_while(|part| is_plain(part)).count();
        let base: PathBuf = parts.iter().take(plain).collect();
        let (mut levels, mut open) = (Vec::new(), false);
        let mut prefix = base.clone();
        for part in parts.iter().take(folders).skip(plain) {
            prefix.push(part);
            // `**`, or a pattern that spans several parts and so is none without the others.
            let part = part.as_os_str().to_string_lossy();
            let level = if part.contains("**") { None } else { build(&prefix.to_string_lossy()).ok() };
            let Some(level) = level else {
                open = true;
                break;
            };
            levels.push(level);
        }
        Ok(Self { text: text.to_owned(), matcher, base, levels, open })
    }

    fn matches(&self, path: &Path) -> bool {
        self.matcher.is_match(path)
    }

    /// Whether files that match may lie in or below a folder whose parent is on the way.
    fn leads_through(&self, folder: &Path) -> bool {
        let Ok(below) = folder.strip_prefix(&self.base) else { return false };
        let depth = below.components().count();
        match depth.checked_sub(1) {
            None => true,
            Some(level) if level < self.levels.len() => self.levels[level].is_match(folder),
            Some(_) => self.open && depth <= DEEPEST,
        }
    }
}

/// What a walk found, and what it left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Files that match, and links that do: those are not followed yet.
    pub(super) files: Vec<PathBuf>,
    /// Entries that were looked at.
    entries: usize,
    /// There are more files or entries than the limits allow.
    pub(super) cut: bool,
    /// Folders that were left out because they are not on this machine.
    pub(super) remote: Vec<PathBuf>,
}

/// Kinds of trouble that the log has already.
pub(super) type Said = BTreeSet<&'static str>;

impl Found {
    /// Tells what was left out, each kind once.
    pub(super) fn say(&self, said: &mut Said) {
        if self.cut && said.insert("cut") {
            tracing::warn!(
                "discovery.files: more than {MOST_FILES} files match, or there are more than {MOST_ENTRIES}; \
                 the others are left out"
            );
        }
        if let Some(path) = self.remote.first()
            && said.insert("remote")
        {
            tracing::warn!(
                "discovery.files: {} is not looked into: it is not on this machine (network, FUSE, automounter) \
                 and might keep the agent waiting; programs in it are looked at as they start",
                shown(path)
            );
        }
    }

    fn is_full(&mut self) -> bool {
        self.cut |= self.files.len() >= MOST_FILES || self.entries >= MOST_ENTRIES;
        self.cut
    }
}

/// All globs.
#[derive(Clone, Debug, Default)]
pub(super) struct Globs(Vec<Wanted>);

impl Globs {
    /// Globs of absolute paths. `*` stays within a folder, `**` does not. One that begins with `**` has no folder to look
    /// in: the programs that it means are looked at as they start.
    pub(super) fn new(texts: &[String]) -> Self {
        let mut all = Vec::new();
        for text in texts.iter().filter(|text| text.starts_with('/')) {
            match Wanted::new(text) {
                Ok(glob) => all.push(glob),
                Err(error) => tracing::warn!("discovery.files: {text}: {error}"),
            }
        }
        Self(all)
    }

    pub(super) fn all(&self) -> &[Wanted] {
        &self.0
    }

    /// The files that are there now.
    pub(super) fn files(&self, remote: &Remote) -> Vec<PathBuf> {
        let mut found = Found::default();
        for glob in &self.0 {
            self.walk(&glob.base, remote, &mut found, &mut |_, _| {});
        }
        found.say(&mut Said::new());
        found.files
    }

    /// Globs that none of these files matches.
    pub(super) fn without(&self, files: &[PathBuf]) -> impl Iterator<Item = &str> {
        let idle = |glob: &&Wanted| !files.iter().any(|file| glob.matches(file));
        self.0.iter().filter(idle).map(|glob| glob.text.as_str())
    }

    pub(super) fn match_file(&self, path: &Path) -> bool {
        self.0.iter().any(|glob| glob.matches(path))
    }

    pub(super) fn lead_through(&self, folder: &Path) -> bool {
        self.0.iter().any(|glob| glob.leads_through(folder))
    }

    /// Looks for files from a folder on. `enter` is told each folder before it is read, and its path without links.
    pub(super) fn walk(
        &self,
        from: &Path,
        remote: &Remote,
        found: &mut Found,
        enter: &mut dyn FnMut(&Path, &Path),
    ) {
        // Only the first may have links on its way.
        let first = match remote.resolve(from) {
            Ok(first) => first,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::Unsupported {
                    found.remote.push(from.to_owned());
                }
                return;
            }
        };
        let mut folders = vec![(from.to_owned(), first)];
        while let Some((folder, real)) = folders.pop() {
            if remote.holds(&real) {
                found.remote.push(folder);
                continue;
            }
            if found.is_full() {
                return;
            }
            enter(&folder, &real);
            let Ok(entries) = real.read_dir() else { continue };
            for entry in entries.flatten() {
                if found.is_full() {
                    return;
                }
                found.entries += 1;
                let Ok(kind) = entry.file_type() else { continue };
                let path = folder.join(entry.file_name());
                // Links are not followed into folders, so that a loop ends.
                if kind.is_dir() {
                    if self.lead_through(&path) {
                        folders.push((path, entry.path()));
                    }
                } else if (kind.is_file() || kind.is_symlink()) && self.match_file(&path) {
                    found.files.push(path);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "globs_tests.rs"]
mod tests;
