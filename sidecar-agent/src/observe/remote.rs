//! Paths that lead to file systems which may keep waiting whoever looks: a server's, a program's (FUSE), an
//! automounter's. Nothing on them is touched, not even by `stat`.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

use crate::gate::waiting;

/// Links on the way that are followed, as many as the kernel follows.
const MOST_LINKS: u32 = 40;

/// The mounts of this namespace at one moment.
#[derive(Debug, Default)]
pub(super) struct Remote {
    mounts: Vec<(PathBuf, bool)>,
}

impl Remote {
    /// As they are now.
    pub(super) fn now() -> Self {
        // Without it, nothing is known to wait.
        Self { mounts: std::fs::read("/proc/self/mountinfo").map(|text| waiting(&text)).unwrap_or_default() }
    }

    #[cfg(test)]
    pub(super) fn of(mounts: Vec<(PathBuf, bool)>) -> Self {
        Self { mounts }
    }

    /// Whether a path without links leads there. What was mounted last is on top.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let leading = self.mounts.iter().filter(|(mount, _)| path.starts_with(mount));
        leading.max_by_key(|(mount, _)| mount.as_os_str().len()).is_some_and(|(_, waits)| *waits)
    }

    /// A path without links, found step by step, so that no step leads there.
    ///
    /// # Errors
    /// What the system answers; `Unsupported` where the way leads there.
    pub(super) fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let mut here = PathBuf::from("/");
        let mut rest = steps(path);
        let mut links = 0;
        while let Some(step) = rest.pop_front() {
            if step == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&step);
            if self.holds(&next) {
                let why = format!("{} is not on this machine (network, FUSE, automounter)", next.display());
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            if !next.symlink_metadata()?.is_symlink() {
                here = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let target = next.read_link()?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for step in steps(&target).into_iter().rev() {
                rest.push_front(step);
            }
        }
        Ok(here)
    }
}

/// The names of a path's steps, `..` among them.
fn steps(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_longest_and_latest_mount_counts() {
        let mounts = [("/", false), ("/net", true), ("/net/local", false), ("/two", true), ("/two", false)];
        let remote = Remote::of(mounts.map(|(path, waits)| (path.into(), waits)).to_vec());
        let held = ["/", "/net", "/net/x", "/net/local/x", "/network", "/two/x"]
            .map(|path| remote.holds(Path::new(path)));
        assert_eq!(held, [false, true, true, false, false, false]);
        assert!(!Remote::default().holds(Path::new("/")));
    }

    #[test]
    fn a_link_is_followed_but_not_to_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let path = |name: &str| root.join(name);
        std::fs::create_dir_all(path("net/deep")).unwrap();
        std::fs::write(path("net/deep/file"), "").unwrap();
        std::fs::write(path("file"), "").unwrap();
        symlink("file", path("plain")).unwrap();
        symlink("net/deep", path("there")).unwrap();
        symlink(path("there/file"), path("hops")).unwrap();
        symlink("net/../file", path("around")).unwrap();
        symlink("loop", path("loop")).unwrap();
        let near = Remote::of(vec![("/".into(), false)]);
        assert_eq!(near.resolve(&path("plain")).unwrap(), path("file"));
        assert_eq!(near.resolve(&path("hops")).unwrap(), path("net/deep/file"));
        let far = Remote::of(vec![("/".into(), false), (path("net"), true)]);
        assert_eq!(far.resolve(&path("plain")).unwrap(), path("file"));
        for name in ["hops", "there/file", "around", "net"] {
            assert_eq!(far.resolve(&path(name)).unwrap_err().kind(), io::ErrorKind::Unsupported, "{name}");
        }
        assert_eq!(near.resolve(&path("loop")).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert_eq!(near.resolve(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
