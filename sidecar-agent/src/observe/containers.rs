//! Which container a cgroup is of, by the cgroup's id as the kernel puts it into each record.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::PathBuf,
    sync::Arc,
};

use super::container::container_id;

/// Cgroups that are remembered.
const MOST_CGROUPS: usize = 4096;
/// `FILEID_KERNFS` of the kernel: the handle is the id.
const KERNFS: i32 = 0xfe;

/// Finds a cgroup's path by its id.
pub(super) type Resolve = Box<dyn FnMut(u64) -> Option<PathBuf> + Send>;

/// Containers by cgroup. An id is never given twice, so what was found out stays true.
pub(super) struct Containers {
    resolve: Resolve,
    known: HashMap<u64, Option<Arc<str>>>,
    /// The one that was asked for last: events come in runs.
    last: (u64, Option<Arc<str>>),
}

impl Containers {
    pub(super) fn new(resolve: Resolve) -> Self {
        // No cgroup has the id 0.
        Self { resolve, known: HashMap::new(), last: (0, None) }
    }

    /// Those of this machine.
    pub(super) fn of_this_machine() -> Self {
        let root = cgroup_root();
        Self::new(Box::new(move |id| path_of(root.as_ref()?, id).ok()))
    }

    /// The container that a cgroup is of; none if its path names none, or it was deleted before it was first looked at.
    pub(super) fn of(&mut self, cgroup: u64) -> Option<Arc<str>> {
        if self.last.0 != cgroup {
            self.last = (cgroup, self.find(cgroup));
        }
        self.last.1.clone()
    }

    fn find(&mut self, cgroup: u64) -> Option<Arc<str>> {
        if let Some(known) = self.known.get(&cgroup) {
            return known.clone();
        }
        if self.known.len() >= MOST_CGROUPS {
            self.known.clear();
        }
        let path = (self.resolve)(cgroup);
        let named = |path: &PathBuf| {
            let path = path.to_str()?;
            container_id(path.strip_suffix(" (deleted)").unwrap_or(path)).map(Arc::from)
        };
        let container = path.as_ref().and_then(named);
        self.known.insert(cgroup, container.clone());
        container
    }
}

/// The hierarchy that ids are of (cgroup v2), wherever it is mounted.
fn cgroup_root() -> Option<File> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    // `id parent device root path options [optional...] - type source options`; no hierarchy has a blank in its path.
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    File::options().read(true).custom_flags(libc::O_DIRECTORY).open(line.split(' ').nth(4)?).ok()
}

/// A file handle as `open_by_handle_at` takes it, with room for an id.
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    id: [u8; 8],
}

fn path_of(root: &File, id: u64) -> io::Result<PathBuf> {
    let mut handle = Handle { bytes: 8, kind: KERNFS, id: id.to_ne_bytes() };
    let flags = libc::O_PATH | libc::O_CLOEXEC;
    // SAFETY: handle is a file_handle whose 8 bytes follow its head, as its length says, and outlives the call.
    let found = unsafe { libc::open_by_handle_at(root.as_raw_fd(), (&raw mut handle).cast(), flags) };
    if found < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just given this descriptor, and nobody else has it.
    let folder = unsafe { OwnedFd::from_raw_fd(found) };
    std::fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::MetadataExt,
        sync::atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[test]
    fn each_cgroup_is_asked_for_once_and_the_number_is_bounded() {
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let mut containers = Containers::new(Box::new(move |id| {
            count.fetch_add(1, Ordering::Relaxed);
            (id % 2 == 0).then(|| format!("/docker/{id:064x}").into())
        }));
        for _ in 0..3 {
            assert_eq!(containers.of(42).as_deref(), Some(format!("{:064x}", 42).as_str()));
            assert_eq!(containers.of(43), None, "deleted, or none");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        for id in 0..3 * MOST_CGROUPS as u64 {
            containers.of(id);
            assert!(containers.known.len() <= MOST_CGROUPS);
        }
    }

    #[test]
    fn a_cgroup_is_found_by_its_id_until_it_is_deleted() {
        let name = "a_cgroup_is_found_by_its_id_until_it_is_deleted";
        let root = cgroup_root().filter(|_| nix::unistd::geteuid().is_root());
        let Some(root) = root else {
            println!("SKIPPED {name}: no cgroup v2 is mounted, or not root");
            return;
        };
        let mount = std::fs::read_link(format!("/proc/self/fd/{}", root.as_raw_fd())).unwrap();
        let made = mount.join(format!("sidecar-test-{}", std::process::id()));
        if let Err(error) = std::fs::create_dir(&made) {
            println!("SKIPPED {name}: no cgroup can be made: {error}");
            return;
        }
        let id = made.metadata().unwrap().ino();
        let found = path_of(&root, id);
        std::fs::remove_dir(&made).unwrap();
        assert_eq!(found.unwrap(), made);
        assert!(path_of(&root, id).is_err());
        assert!(path_of(&root, u64::MAX).is_err());
    }
}
