//! Tells one state of a file from every other.

use nix::sys::stat::fstat;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a file must have been left alone before a look at it counts for later: two writes within the
/// resolution of the filesystem's clock leave the same time stamps.
const SETTLE: Duration = Duration::from_secs(2);

/// A file and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    dev: u64,
    ino: u64,
    size: i64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Identity {
    /// The state of an open file now.
    pub(super) fn of(file: impl AsFd) -> nix::Result<Self> {
        let stat = fstat(file)?;
        Ok(Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: stat.st_size,
            mtime: (stat.st_mtime, stat.st_mtime_nsec),
            ctime: (stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    /// Whether the file has been left alone long enough at `now`. By the change time alone, which programs
    /// can't set; one in the future is never settled.
    pub(super) fn settled(&self, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(self.ctime.0), u32::try_from(self.ctime.1)) else {
            return false;
        };
        now.duration_since(UNIX_EPOCH + Duration::new(seconds, nanos)).is_ok_and(|age| age >= SETTLE)
    }
}

#[cfg(test)]
impl Identity {
    pub(super) fn for_test(ino: u64) -> Self {
        Self { dev: 1, ino, size: 1, mtime: (0, 0), ctime: (0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_write_changes_the_identity() {
        let mut file = tempfile::tempfile().unwrap();
        let before = Identity::of(&file).unwrap();
        assert_eq!(Identity::of(&file).unwrap(), before);
        file.write_all(b"x").unwrap();
        assert_ne!(Identity::of(&file).unwrap(), before);
    }

    #[test]
    fn settled_means_old_by_the_change_time() {
        let identity = Identity { ctime: (1_000, 5), mtime: (9_999, 0), ..Identity::for_test(1) };
        let at = |seconds| UNIX_EPOCH + Duration::new(seconds, 5);
        assert!(!identity.settled(at(1_001)));
        assert!(identity.settled(at(1_002)));
        assert!(!identity.settled(at(900)), "changed in the future");
        let ancient = Identity { ctime: (-5, 0), ..identity };
        assert!(!ancient.settled(at(1_002)), "before 1970 is not believed");
    }
}
