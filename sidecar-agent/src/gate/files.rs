//! Which files are asked for where the whole node is watched.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Files by globs of absolute paths. `*` stays within a folder, `**` does not.
pub struct Files(Option<GlobSet>);

impl Files {
    /// Those that these globs match, of which one that is none matches nothing; without any, every file.
    #[must_use]
    pub fn new(globs: &[String]) -> Self {
        if globs.is_empty() {
            return Self(None);
        }
        let mut set = GlobSetBuilder::new();
        for glob in
            globs.iter().filter_map(|glob| GlobBuilder::new(glob).literal_separator(true).build().ok())
        {
            set.add(glob);
        }
        Self(Some(set.build().unwrap_or_else(|_| GlobSet::empty())))
    }

    /// Whether an open file is one of them: by its path as whoever executes it sees it.
    #[must_use]
    pub fn hold(&self, file: BorrowedFd<'_>) -> bool {
        let Some(set) = &self.0 else { return true };
        // One whose path can't be told is no match.
        std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).is_ok_and(|path| set.is_match(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn files_are_matched_by_their_path_and_without_globs_all_match() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let file = |name: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(path).unwrap()
        };
        let (near, far) = (file("a/test-1"), file("a/b/test-2"));
        let hold = |globs: &[&str]| {
            let globs: Vec<String> = globs.iter().map(|glob| format!("{}/{glob}", root.display())).collect();
            let files = Files::new(&globs);
            [files.hold(near.as_fd()), files.hold(far.as_fd())]
        };
        assert_eq!(hold(&[]), [true, true]);
        assert_eq!(hold(&["a/*"]), [true, false]);
        assert_eq!(hold(&["a/**"]), [true, true]);
        assert_eq!(hold(&["none", "a/b/*"]), [false, true]);
        assert_eq!(hold(&["["]), [false, false], "what is no glob matches nothing");
    }
}
