//! Folders that the globs of `discovery.files` lead through, watched through inotify, so that a program is known when
//! the linker closes it. What can't be watched is counted and said once; programs are then looked at as they start.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsStr,
    os::{fd::AsFd, fd::BorrowedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
};

use super::{
    globs::{Found, Globs, MOST_FILES, Said},
    remote::Remote,
    say::shown,
    tallies::Tallies,
};

/// Folders that are watched at most. Each pins some 1 KB of the kernel's memory.
pub(super) const MOST_FOLDERS: usize = 4096;
/// Paths that lead to one folder, as through bind mounts.
const MOST_PATHS: usize = 4;

/// What happens to files in a folder: written and closed, moved in, linked. Renames of sub-folders come with it.
const FILES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);
/// What happens to the names in a folder on the way to a base. A base whose files are still in use does not tell itself
/// that it was removed.
const WAY: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);
/// Never a link's target, a file, or what is unlinked already; what one path asks for does not undo another's.
const HOW: AddWatchFlags = AddWatchFlags::from_bits_retain(
    libc::IN_ONLYDIR | libc::IN_DONT_FOLLOW | libc::IN_EXCL_UNLINK | libc::IN_MASK_ADD,
);

struct Folder {
    descriptor: WatchDescriptor,
    paths: Vec<PathBuf>,
    /// Its files matter; else it only leads to a folder that is not there yet.
    files: bool,
}

/// What is watched.
pub(super) struct Folders {
    /// None where the kernel has none to give.
    inotify: Option<Inotify>,
    globs: Globs,
    watched: HashMap<i32, Folder>,
    /// Where each glob's watches begin, as last armed.
    anchors: Vec<Place>,
    most: usize,
    tallies: Arc<Tallies>,
    /// What was said already of folders that are not watched.
    said: Said,
}

impl Folders {
    /// Nothing is watched before [`Self::scan`].
    pub(super) fn new(globs: Globs, tallies: Arc<Tallies>) -> Self {
        Self::with_most(globs, tallies, MOST_FOLDERS)
    }

    fn with_most(globs: Globs, tallies: Arc<Tallies>, most: usize) -> Self {
        let anchors = vec![Place::default(); globs.all().len()];
        let watched = HashMap::new();
        let mut folders = Self { inotify: None, globs, watched, anchors, most, tallies, said: Said::new() };
        if !folders.anchors.is_empty() {
            match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
                Ok(inotify) => folders.inotify = Some(inotify),
                Err(error) => {
                    tracing::warn!(
                        "the folders of discovery.files can't be watched: {} (the limits are in \
                         /proc/sys/fs/inotify); programs in them are looked at as they start",
                        error.desc()
                    );
                    Tallies::add(&folders.tallies.unwatched, 1);
                }
            }
        }
        folders
    }

    /// What becomes readable when something happens.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Watches every folder on the way, each before it is read, and gives the files that are there.
    pub(super) fn scan(&mut self, remote: &Remote) -> Vec<PathBuf> {
        let mut found = Found::default();
        for index in 0..self.anchors.len() {
            self.anchors[index] = self.scan_glob(index, remote, &mut found);
        }
        self.tell(&found);
        found.files
    }

    /// Looks whether the folders where the watches begin are still those, and scans where they are not.
    pub(super) fn check(&mut self, remote: &Remote) -> Vec<PathBuf> {
        let mut found = Found::default();
        for index in 0..self.anchors.len() {
            let before = self.anchors[index];
            let anchor = self.anchor(index, remote);
            let was_there = before
                .at
                .and_then(|wd| self.watched.get(&wd))
                .is_some_and(|folder| folder.files >= anchor.is_base && folder.paths.contains(&anchor.path));
            let now = self.arm(&anchor);
            if now.at.is_some() && !(was_there && now.at == before.at) {
                // Another folder has the name of the one that was watched.
                self.forget(&anchor.path);
                self.anchors[index] = self.scan_glob(index, remote, &mut found);
            } else {
                self.anchors[index] = now;
            }
        }
        let needed: Vec<i32> =
            self.anchors.iter().flat_map(|place| [place.at, place.above]).flatten().collect();
        let idle = |(wd, folder): &(&i32, &Folder)| !folder.files && !needed.contains(wd);
        let idle: Vec<i32> = self.watched.iter().filter(idle).map(|(wd, _)| *wd).collect();
        for wd in idle {
            self.leave(wd);
        }
        self.tell(&found);
        found.files
    }

    /// Takes what has happened, and gives the files that are to be looked at, each once. They may be anything by now.
    pub(super) fn take(&mut self, remote: &Remote) -> Vec<PathBuf> {
        let mut files = BTreeSet::new();
        let (mut overflown, mut moved) = (false, false);
        // An error other than `EAGAIN` can't come from a descriptor of our own; then there is nothing to take.
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    overflown = true;
                } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    self.watched.remove(&event.wd.as_raw());
                    moved = true;
                } else if let Some(name) = &event.name {
                    moved |= self.happened(&event, name, remote, &mut files);
                }
            }
            if overflown || files.len() >= MOST_FILES {
                break;
            }
        }
        if overflown {
            Tallies::add(&self.tallies.folder_overflows, 1);
            tracing::debug!("more happened in watched folders than the kernel keeps; they are read again");
            files.extend(self.scan(remote));
        } else if moved {
            files.extend(self.check(remote));
        }
        self.tallies.folders.store(self.watched.len() as u64, Ordering::Relaxed);
        files.into_iter().collect()
    }

    /// One event; true: where the watches begin may have changed.
    fn happened(
        &mut self,
        event: &InotifyEvent,
        name: &OsStr,
        remote: &Remote,
        files: &mut BTreeSet<PathBuf>,
    ) -> bool {
        let Some(folder) = self.watched.get(&event.wd.as_raw()) else { return false };
        let paths: Vec<PathBuf> = folder.paths.iter().map(|path| path.join(name)).collect();
        let leads = |path: &PathBuf| self.globs.all().iter().any(|glob| glob.base.starts_with(path));
        let on_the_way = paths.iter().any(leads);
        if !folder.files {
            return on_the_way;
        }
        let is = |flags| event.mask.intersects(flags);
        for path in paths {
            if is(AddWatchFlags::IN_ISDIR) {
                if is(AddWatchFlags::IN_MOVED_FROM) {
                    self.forget(&path);
                } else if self.globs.lead_through(&path) {
                    let mut found = Found::default();
                    self.walk(&path, remote, &mut found);
                    self.tell(&found);
                    files.extend(found.files);
                }
            } else if self.globs.match_file(&path)
                && (is(AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO)
                    || is(AddWatchFlags::IN_CREATE) && is_whole(&path))
            {
                files.insert(path);
            }
        }
        on_the_way
    }

    /// The base of a glob, or the deepest folder above it that there is.
    fn anchor(&self, index: usize, remote: &Remote) -> Anchor {
        let base = &self.globs.all()[index].base;
        for path in base.ancestors() {
            let real = remote.resolve(path).ok().filter(|real| !remote.holds(real) && real.is_dir());
            if let Some(real) = real {
                return Anchor { path: path.to_owned(), real, is_base: path == base };
            }
        }
        Anchor { path: "/".into(), real: "/".into(), is_base: false }
    }

    /// Watches where the watches of a glob begin.
    fn arm(&mut self, anchor: &Anchor) -> Place {
        let above = match (anchor.is_base, anchor.path.parent(), anchor.real.parent()) {
            (true, Some(path), Some(real)) => self.watch(path, real, false),
            _ => None,
        };
        Place { at: self.watch(&anchor.path, &anchor.real, anchor.is_base), above }
    }

    fn scan_glob(&mut self, index: usize, remote: &Remote, found: &mut Found) -> Place {
        let base = self.globs.all()[index].base.clone();
        let mut anchor = self.anchor(index, remote);
        let mut place = self.arm(&anchor);
        // Each step down may have been made before the one above it was watched.
        for _ in base.ancestors() {
            let now = self.anchor(index, remote);
            if now.path == anchor.path {
                break;
            }
            anchor = now;
            place = self.arm(&anchor);
        }
        // Of a base that is not on this machine, the walk tells.
        self.walk(&base, remote, found);
        place
    }

    fn walk(&mut self, from: &Path, remote: &Remote, found: &mut Found) {
        let globs = self.globs.clone();
        globs.walk(from, remote, found, &mut |folder, real| {
            self.watch(folder, real, true);
        });
    }

    /// Watches a folder. `real` is its path without links.
    fn watch(&mut self, path: &Path, real: &Path, files: bool) -> Option<i32> {
        let inotify = self.inotify.as_ref()?;
        let full = self.watched.len() >= self.most;
        if full && !self.watched.values().any(|folder| folder.paths.iter().any(|known| known == path)) {
            let most = self.most;
            self.unwatched("full", path, &format!("{most} folders are watched already, which is the most"));
            return None;
        }
        match inotify.add_watch(real, HOW | if files { FILES } else { WAY }) {
            Ok(descriptor) => {
                let wd = descriptor.as_raw();
                let folder =
                    self.watched.entry(wd).or_insert(Folder { descriptor, paths: Vec::new(), files: false });
                folder.files |= files;
                if !folder.paths.iter().any(|known| known == path) && folder.paths.len() < MOST_PATHS {
                    folder.paths.push(path.to_owned());
                }
                Some(wd)
            }
            // It is gone, or no folder any more.
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => None,
            Err(error) => {
                let why = format!("{} (the limits are in /proc/sys/fs/inotify)", error.desc());
                self.unwatched("refused", path, &why);
                None
            }
        }
    }

    fn unwatched(&mut self, kind: &'static str, path: &Path, why: &str) {
        Tallies::add(&self.tallies.unwatched, 1);
        if self.said.insert(kind) {
            tracing::warn!(
                "discovery.files: {} is not watched: {why}; programs in it are looked at as they start",
                shown(path)
            );
        }
    }

    /// A folder was moved away: the paths of what is in it hold no longer.
    fn forget(&mut self, moved: &Path) {
        let mut gone = Vec::new();
        for (wd, folder) in &mut self.watched {
            folder.paths.retain(|path| !path.starts_with(moved));
            if folder.paths.is_empty() {
                gone.push(*wd);
            }
        }
        for wd in gone {
            self.leave(wd);
        }
    }

    fn leave(&mut self, wd: i32) {
        if let (Some(folder), Some(inotify)) = (self.watched.remove(&wd), &self.inotify) {
            // It is gone already where the folder is.
            let _ = inotify.rm_watch(folder.descriptor);
        }
    }

    fn tell(&mut self, found: &Found) {
        self.tallies.folders.store(self.watched.len() as u64, Ordering::Relaxed);
        Tallies::add(&self.tallies.unwatched, found.remote.len() as u64);
        found.say(&mut self.said);
    }
}

/// Watches at the beginning of a glob's.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// The base, or the deepest folder above it that there is.
    at: Option<i32>,
    /// The folder above a base.
    above: Option<i32>,
}

/// Where the watches of a glob begin.
struct Anchor {
    path: PathBuf,
    /// The same without links.
    real: PathBuf,
    is_base: bool,
}

/// A name that was made for what is there already: a link of either kind. A new file is told again when it is closed.
fn is_whole(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_symlink() || meta.nlink() > 1)
}

#[cfg(test)]
#[path = "folders_tests.rs"]
mod tests;
