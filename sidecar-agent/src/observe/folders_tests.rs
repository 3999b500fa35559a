//! What is seen of folders: each way in which a file appears, and each way in which folders come and go.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use super::*;

struct Case {
    _folder: tempfile::TempDir,
    root: PathBuf,
    folders: Folders,
    remote: Remote,
    tallies: Arc<Tallies>,
}

impl Case {
    /// Watches these globs below a folder of its own, in which `made` are.
    fn new(globs: &[&str], made: &[&str], most: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in made {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let globs: Vec<String> = globs.iter().map(|glob| format!("{}/{glob}", root.display())).collect();
        let tallies = Arc::<Tallies>::default();
        let mut folders = Folders::with_most(Globs::new(&globs), Arc::clone(&tallies), most);
        let remote = Remote::default();
        assert_eq!(folders.scan(&remote), Vec::<PathBuf>::new());
        Self { _folder: folder, root, folders, remote, tallies }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str) {
        fs::write(self.path(name), "x").unwrap();
    }

    /// What has appeared since the last time. The kernel queues an event before the call that caused it returns.
    fn seen(&mut self) -> Vec<String> {
        let files = self.folders.take(&self.remote);
        files.iter().map(|path| path.strip_prefix(&self.root).unwrap().display().to_string()).collect()
    }
}

#[test]
fn a_file_is_told_when_it_is_closed_moved_in_or_linked_and_only_then() {
    let mut case = Case::new(&["bin/*.test"], &["bin", "else"], 100);
    let mut file = fs::File::create(case.path("bin/a.test")).unwrap();
    file.write_all(b"x").unwrap();
    assert_eq!(case.seen(), [""; 0], "still open");
    drop(file);
    assert_eq!(case.seen(), ["bin/a.test"]);
    case.write("bin/other");
    fs::File::open(case.path("bin/a.test")).unwrap();
    assert_eq!(case.seen(), [""; 0], "no match, and reading is no change");
    case.write("else/b");
    fs::rename(case.path("else/b"), case.path("bin/b.test")).unwrap();
    fs::hard_link(case.path("bin/b.test"), case.path("bin/c.test")).unwrap();
    symlink("b.test", case.path("bin/d.test")).unwrap();
    nix::unistd::mkfifo(&case.path("bin/fifo.test"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(case.seen(), ["bin/b.test", "bin/c.test", "bin/d.test"]);
    case.write("bin/a.test");
    case.write("bin/a.test");
    assert_eq!(case.seen(), ["bin/a.test"], "once for both");
}

#[test]
fn folders_that_come_and_move_are_watched_with_what_is_in_them() {
    let mut case = Case::new(&["**/*.test"], &["old"], 100);
    fs::create_dir_all(case.path("new/deep")).unwrap();
    case.write("new/deep/a.test");
    assert_eq!(case.seen(), ["new/deep/a.test"]);
    case.write("new/deep/b.test");
    assert_eq!(case.seen(), ["new/deep/b.test"]);
    fs::rename(case.path("new"), case.path("moved")).unwrap();
    assert_eq!(case.seen(), ["moved/deep/a.test", "moved/deep/b.test"]);
    case.write("moved/deep/c.test");
    assert_eq!(case.seen(), ["moved/deep/c.test"], "by its new name alone");
    fs::remove_dir_all(case.path("moved")).unwrap();
    assert_eq!(case.seen(), [""; 0]);
    assert_eq!(Tallies::read(&case.tallies.folders), 3, "the root, what is above it, and `old`");
}

#[test]
fn a_folder_that_is_not_there_yet_is_waited_for_and_may_come_again() {
    let mut case = Case::new(&["target/debug/*.test"], &[], 100);
    for round in 0..3 {
        fs::create_dir(case.path("target")).unwrap();
        if round > 0 {
            // Each step is seen alone, or both at once.
            assert_eq!(case.seen(), [""; 0]);
        }
        fs::create_dir(case.path("target/debug")).unwrap();
        case.write("target/debug/a.test");
        assert_eq!(case.seen(), ["target/debug/a.test"], "round {round}");
        case.write("target/debug/b.test");
        assert_eq!(case.seen(), ["target/debug/b.test"], "round {round}");
        assert_eq!(Tallies::read(&case.tallies.folders), 2, "the way there is no longer watched");
        fs::remove_dir_all(case.path("target")).unwrap();
        assert_eq!(case.seen(), [""; 0]);
    }
}

#[test]
fn a_base_that_is_made_anew_is_found_although_a_file_of_the_former_is_in_use() {
    let mut case = Case::new(&["target/debug/*.test"], &["target/debug"], 100);
    case.write("target/debug/a.test");
    assert_eq!(case.seen(), ["target/debug/a.test"]);
    let _in_use = fs::File::open(case.path("target/debug/a.test")).unwrap();
    fs::remove_dir_all(case.path("target")).unwrap();
    fs::create_dir_all(case.path("target/debug")).unwrap();
    case.write("target/debug/b.test");
    assert_eq!(case.seen(), ["target/debug/b.test"]);
    case.write("target/debug/c.test");
    assert_eq!(case.seen(), ["target/debug/c.test"]);
}

#[test]
fn a_base_that_was_swapped_for_another_is_found_by_the_check() {
    let mut case = Case::new(&["a/b/*.test"], &["a/b", "c/b"], 100);
    case.write("c/b/there.test");
    // Nothing tells of a folder above the base.
    fs::rename(case.path("a"), case.path("away")).unwrap();
    fs::rename(case.path("c"), case.path("a")).unwrap();
    assert_eq!(case.seen(), [""; 0]);
    let found = case.folders.check(&case.remote);
    assert_eq!(found, [case.path("a/b/there.test")]);
    case.write("a/b/new.test");
    case.write("away/b/else.test");
    assert_eq!(case.seen(), ["a/b/new.test"]);
    assert_eq!(case.folders.check(&case.remote), Vec::<PathBuf>::new());
}

#[test]
fn a_base_behind_a_link_keeps_the_name_that_the_glob_has() {
    let mut case = Case::new(&["link/*.test"], &["real"], 100);
    symlink("real", case.path("link")).unwrap();
    assert_eq!(case.seen(), [""; 0]);
    case.write("real/a.test");
    assert_eq!(case.seen(), ["link/a.test"]);
}

#[test]
fn no_more_folders_are_watched_than_the_limit_and_it_is_counted() {
    let mut case = Case::new(&["**/*.test"], &["a", "b", "c", "d"], 4);
    assert_eq!(Tallies::read(&case.tallies.folders), 4);
    assert_eq!(Tallies::read(&case.tallies.unwatched), 2);
    for name in ["a/x.test", "b/x.test", "c/x.test", "d/x.test"] {
        case.write(name);
    }
    assert_eq!(case.seen().len(), 2, "the root and what is above it are two of the four");
}

#[test]
fn a_folder_of_a_server_is_left_alone_and_counted() {
    let mut case = Case::new(&["**/*.test"], &["net"], 100);
    let net = case.path("net");
    let remote = Remote::of(vec![("/".into(), false), (net.clone(), true)]);
    let mut folders = Folders::new(case.folders.globs.clone(), Arc::clone(&case.tallies));
    folders.scan(&remote);
    assert_eq!(Tallies::read(&case.tallies.unwatched), 1);
    fs::write(net.join("a.test"), "").unwrap();
    assert_eq!(folders.take(&remote), Vec::<PathBuf>::new());
    assert_eq!(case.seen(), ["net/a.test"], "where it is none");
}

/// More than the kernel keeps for one descriptor.
#[test]
fn after_an_overflow_everything_is_looked_at_again() {
    let mut case = Case::new(&["bin/*.test"], &["bin"], 100);
    case.write("bin/a.test");
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let (names, deadline) = (["bin/x", "bin/y"], Instant::now() + Duration::from_secs(60));
    for i in 0..limit + 10 {
        // The same event twice in a row would be one.
        case.write(names[i % 2]);
        assert!(Instant::now() < deadline, "a queue of {limit} events is not filled in time");
    }
    case.write("bin/b.test");
    assert_eq!(case.seen(), ["bin/a.test", "bin/b.test"]);
    assert_eq!(Tallies::read(&case.tallies.folder_overflows), 1);
    case.seen();
    case.write("bin/c.test");
    assert_eq!(case.seen(), ["bin/c.test"]);
}
