//! Every name and link on the way to a file, watched through inotify.
//!
//! A file's name says nothing when a directory above it is moved, or a link on the way is set to another target
//! (which is how Kubernetes updates a config map). So each step of the way is watched: the directories of links
//! and of the file itself for changes of names, the other ones only for being moved away, and the file for being
//! written. While the file is missing, all of them are watched for changes of names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Links on the way that are followed, as many as the kernel follows.
const MOST_LINKS: u32 = 40;

/// Which file it is, and which state of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What is watched.
pub(super) struct Chain {
    pub(super) inotify: Inotify,
    path: PathBuf,
    watched: BTreeMap<i32, Watched>,
}

struct Watched {
    descriptor: WatchDescriptor,
    mask: AddWatchFlags,
    /// The names in a directory that are on the way.
    names: BTreeSet<OsString>,
}

impl Chain {
    /// Nothing is watched before [`Self::arm`]. The path is absolute.
    pub(super) fn new(path: PathBuf) -> Result<Self, Errno> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, path, watched: BTreeMap::new() })
    }

    /// Takes what has happened, and says whether any of it was on the way.
    pub(super) fn drain(&self) -> bool {
        let mut on_the_way = false;
        // An error other than `EAGAIN` can't come from a descriptor of our own; then there is nothing to take.
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                on_the_way |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
                    || self.watched.get(&event.wd.as_raw()).is_some_and(|watched| match &event.name {
                        Some(name) => watched.names.contains(name),
                        None => !event.mask.contains(AddWatchFlags::IN_IGNORED),
                    });
            }
        }
        on_the_way
    }

    /// Watches the way as it is now, and says what is at its end.
    pub(super) fn arm(&mut self) -> Result<Option<Identity>, Errno> {
        let before = std::mem::take(&mut self.watched);
        let result = match self.walk(false) {
            Ok(None) => self.walk(true),
            result => result,
        };
        for (raw, watched) in before {
            if !self.watched.contains_key(&raw) {
                // It is gone already where what it watched is gone.
                let _ = self.inotify.rm_watch(watched.descriptor);
            }
        }
        result
    }

    /// Follows the way step by step. A directory is watched before it is looked into, so that whatever changes
    /// afterwards is told.
    fn walk(&mut self, all_names: bool) -> Result<Option<Identity>, Errno> {
        let mut here = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = steps(&self.path);
        let mut links = 0;
        while let Some(step) = rest.pop_front() {
            if step == ".." {
                here.pop();
                continue;
            }
            let last = rest.is_empty();
            if !self.directory(&here, &step, all_names || last)? {
                return Ok(None);
            }
            let path = here.join(&step);
            let Ok(mut found) = path.symlink_metadata() else { return Ok(None) };
            if found.is_symlink() && !last && !all_names {
                self.directory(&here, &step, true)?;
                let Ok(again) = path.symlink_metadata() else { return Ok(None) };
                found = again;
            }
            if found.is_symlink() {
                links += 1;
                let Ok(target) = path.read_link() else { return Ok(None) };
                if links > MOST_LINKS {
                    return Ok(None);
                }
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for step in steps(&target).into_iter().rev() {
                    rest.push_front(step);
                }
            } else if !last {
                here = path;
            } else if found.is_file() {
                return self.file(&path);
            } else {
                return Ok(Some(identity(&found)));
            }
        }
        Ok(None)
    }

    /// Watches a directory for itself and, with `names`, for changes of names in it. False: there is none.
    fn directory(&mut self, path: &Path, name: &OsStr, names: bool) -> Result<bool, Errno> {
        let mut mask = AddWatchFlags::IN_ONLYDIR
            | AddWatchFlags::IN_DONT_FOLLOW
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_DELETE_SELF;
        if names {
            mask |= AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVE;
        }
        match self.add(path, mask) {
            Ok(watched) => {
                watched.names.insert(name.to_owned());
                Ok(true)
            }
            // It can be passed through but not be read: what happens in it stays unseen.
            Err(Errno::EACCES) => Ok(true),
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn file(&mut self, path: &Path) -> Result<Option<Identity>, Errno> {
        let mask = AddWatchFlags::IN_DONT_FOLLOW
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_ATTRIB;
        match self.add(path, mask) {
            // Without the right to read it, its directory still tells of another one in its place.
            Ok(_) | Err(Errno::EACCES) => {}
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(path.symlink_metadata().ok().as_ref().map(identity))
    }

    /// Watches for `mask` and for what this file or directory is watched for already.
    fn add(&mut self, path: &Path, mask: AddWatchFlags) -> Result<&mut Watched, Errno> {
        let descriptor = self.inotify.add_watch(path, mask)?;
        let watched = self.watched.entry(descriptor.as_raw()).or_insert_with(|| Watched {
            descriptor,
            mask,
            names: BTreeSet::new(),
        });
        if !mask.contains(watched.mask) {
            watched.mask |= mask;
            self.inotify.add_watch(path, watched.mask)?;
        } else {
            watched.mask = mask;
        }
        Ok(watched)
    }
}

/// The steps of a path, without the root and `.`.
fn steps(path: &Path) -> VecDeque<OsString> {
    let step = |component: Component<'_>| match component {
        Component::ParentDir => Some("..".into()),
        Component::Normal(name) => Some(name.to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(step).collect()
}

fn identity(found: &std::fs::Metadata) -> Identity {
    Identity {
        device: found.dev(),
        inode: found.ino(),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    }
}
