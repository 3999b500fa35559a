//! Each way in which a configuration file changes, on real directories.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(20);

struct Watched {
    dir: tempfile::TempDir,
    states: Receiver<FileState>,
    watch: Watch,
}

impl Watched {
    /// Watches `DIR/NAME` after `prepare` has had the directory.
    fn new(name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let (sender, states) = channel();
        let watch = Watch::start(&dir.path().join(name), move |state| {
            let _ = sender.send(state);
        });
        Self { states, watch: watch.unwrap(), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn next(&self) -> FileState {
        self.states.recv_timeout(PATIENCE).expect("a change that was told")
    }

    /// The next state is `Changed`, whether or not the file was found missing in between.
    fn changed(&self) {
        let first = self.next();
        if first == FileState::Gone {
            assert_eq!(self.next(), FileState::Changed);
        } else {
            assert_eq!(first, FileState::Changed);
        }
    }

    /// Changes the file until that is told: proof that it is still watched, whatever came late.
    fn still_watched(&self, file: &Path) {
        while self.states.try_recv().is_ok() {}
        fs::write(file, format!("enabled: false # {:?}\n", Instant::now())).unwrap();
        assert_eq!(self.next(), FileState::Changed);
    }
}

fn write(path: &Path) {
    fs::write(path, "enabled: true\n").unwrap();
}

#[test]
fn a_file_that_is_written_in_place() {
    let watched = Watched::new("a.yml", |dir| write(&dir.join("a.yml")));
    watched.still_watched(&watched.path("a.yml"));
    watched.still_watched(&watched.path("a.yml"));
}

#[test]
fn an_editor_that_replaces_the_file() {
    let watched = Watched::new("a.yml", |dir| write(&dir.join("a.yml")));
    for _ in 0..3 {
        write(&watched.path(".a.yml.swp"));
        fs::rename(watched.path(".a.yml.swp"), watched.path("a.yml")).unwrap();
        assert_eq!(watched.next(), FileState::Changed);
    }
    // An editor that moves the old one away first.
    fs::rename(watched.path("a.yml"), watched.path("a.yml~")).unwrap();
    write(&watched.path("a.yml"));
    watched.changed();
    watched.still_watched(&watched.path("a.yml"));
}

#[test]
fn a_config_map_of_kubernetes() {
    let revision = |dir: &Path, name: &str| {
        fs::create_dir(dir.join(name)).unwrap();
        write(&dir.join(name).join("sidecar.yml"));
        symlink(name, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    };
    let watched = Watched::new("sidecar.yml", |dir| {
        revision(dir, "..2026_01");
        symlink("..data/sidecar.yml", dir.join("sidecar.yml")).unwrap();
    });
    let mut old = "..2026_01".to_owned();
    for name in ["..2026_02", "..2026_03"] {
        revision(watched.dir.path(), name);
        fs::remove_dir_all(watched.path(&old)).unwrap();
        old = name.to_owned();
        watched.changed();
    }
    watched.still_watched(&watched.path("..2026_03/sidecar.yml"));
}

#[test]
fn links_to_other_directories_relative_and_absolute() {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(elsewhere.path().join("v1")).unwrap();
    fs::create_dir_all(elsewhere.path().join("v2")).unwrap();
    write(&elsewhere.path().join("v1/a.yml"));
    write(&elsewhere.path().join("v2/a.yml"));
    symlink("v1", elsewhere.path().join("now")).unwrap();
    let watched = Watched::new("conf/../conf/a.yml", |dir| {
        symlink(elsewhere.path().join("now"), dir.join("conf")).unwrap();
        // `..` of a link is that of its target, as the kernel has it.
        symlink("now", elsewhere.path().join("conf")).unwrap();
    });
    watched.still_watched(&elsewhere.path().join("v1/a.yml"));
    symlink("v2", elsewhere.path().join("new")).unwrap();
    fs::rename(elsewhere.path().join("new"), elsewhere.path().join("now")).unwrap();
    watched.changed();
    watched.still_watched(&elsewhere.path().join("v2/a.yml"));
}

#[test]
fn a_file_that_is_removed_and_comes_back() {
    let watched = Watched::new("a.yml", |dir| write(&dir.join("a.yml")));
    fs::remove_file(watched.path("a.yml")).unwrap();
    assert_eq!(watched.next(), FileState::Gone);
    write(&watched.path("a.yml"));
    assert_eq!(watched.next(), FileState::Changed);
    watched.still_watched(&watched.path("a.yml"));
}

#[test]
fn a_directory_that_is_removed_and_comes_back() {
    let file = "etc/sidecar/a.yml";
    let watched = Watched::new(file, |dir| {
        fs::create_dir_all(dir.join("etc/sidecar")).unwrap();
        write(&dir.join(file));
    });
    fs::remove_dir_all(watched.path("etc")).unwrap();
    assert_eq!(watched.next(), FileState::Gone);
    fs::create_dir_all(watched.path("etc/sidecar")).unwrap();
    write(&watched.path(file));
    assert_eq!(watched.next(), FileState::Changed);
    watched.still_watched(&watched.path(file));
    // At once, with somebody still in it.
    let held = fs::File::open(watched.path("etc/sidecar")).unwrap();
    fs::remove_dir_all(watched.path("etc")).unwrap();
    fs::create_dir_all(watched.path("etc/sidecar")).unwrap();
    write(&watched.path(file));
    watched.changed();
    watched.still_watched(&watched.path(file));
    drop(held);
}

#[test]
fn a_directory_that_is_moved_away_and_another_in_its_place() {
    let watched = Watched::new("etc/sidecar/a.yml", |dir| {
        fs::create_dir_all(dir.join("etc/sidecar")).unwrap();
        fs::create_dir_all(dir.join("new/sidecar")).unwrap();
        write(&dir.join("etc/sidecar/a.yml"));
        write(&dir.join("new/sidecar/a.yml"));
    });
    fs::rename(watched.path("etc"), watched.path("old")).unwrap();
    fs::rename(watched.path("new"), watched.path("etc")).unwrap();
    watched.changed();
    watched.still_watched(&watched.path("etc/sidecar/a.yml"));
}

#[test]
fn a_file_that_is_not_there_at_first() {
    let watched = Watched::new("a/b/c.yml", |_| {});
    fs::create_dir_all(watched.path("a/b")).unwrap();
    write(&watched.path("a/b/c.yml"));
    assert_eq!(watched.next(), FileState::Changed);
    watched.still_watched(&watched.path("a/b/c.yml"));
}

#[test]
fn links_in_a_circle_are_a_file_that_is_not_there() {
    let watched = Watched::new("a.yml", |dir| {
        symlink("b.yml", dir.join("a.yml")).unwrap();
        symlink("a.yml", dir.join("b.yml")).unwrap();
    });
    fs::remove_file(watched.path("b.yml")).unwrap();
    write(&watched.path("b.yml"));
    assert_eq!(watched.next(), FileState::Changed);
}

#[test]
fn pieces_are_told_together_and_the_last_is_never_missed() {
    use std::io::Write as _;
    let watched = Watched::new("a.yml", |dir| write(&dir.join("a.yml")));
    let mut file = fs::File::create(watched.path("a.yml")).unwrap();
    for _ in 0..200 {
        file.write_all(b"# a piece\n").unwrap();
    }
    drop(file);
    let done = identity_of(&watched.path("a.yml"));
    let mut told = 0;
    // Each telling is at least `QUIET` after the one before, and none comes after the file rests.
    loop {
        assert_eq!(watched.next(), FileState::Changed);
        told += 1;
        if watched.states.recv_timeout(QUIET * 5).is_err() {
            break;
        }
    }
    assert_eq!(identity_of(&watched.path("a.yml")), done);
    assert!(told < 20, "200 pieces were told {told} times");
}

fn identity_of(path: &Path) -> Option<Identity> {
    Chain::new(path.to_owned()).unwrap().arm().unwrap()
}

#[test]
fn other_files_are_no_change_and_nothing_costs_no_wake_up() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("conf")).unwrap();
    let path = dir.path().join("conf/a.yml");
    write(&path);
    let (sender, states) = channel();
    let watch = Watch::start(&path, move |state| {
        let _ = sender.send((state, nix::unistd::gettid()));
    });
    let watch = watch.unwrap();
    fs::write(dir.path().join("conf/other.yml"), "x").unwrap();
    fs::write(&path, "enabled: false\n").unwrap();
    let (state, thread) = states.recv_timeout(PATIENCE).unwrap();
    assert_eq!(state, FileState::Changed);

    let switches = || {
        let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.rsplit_once('\t').unwrap().1.parse::<u64>().unwrap()
    };
    // Names above the directory, and reading the file, wake nobody.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = switches();
        for i in 0..20 {
            fs::write(dir.path().join(format!("noise{i}")), "x").unwrap();
            fs::read(&path).unwrap();
        }
        std::thread::sleep(QUIET * 3);
        if switches() == before {
            break;
        }
        assert!(Instant::now() < deadline, "the thread never sleeps");
    }
    assert!(states.try_recv().is_err(), "nothing else was told");
    drop(watch);
    assert!(!Path::new(&format!("/proc/self/task/{thread}")).exists(), "the thread has ended");
}

#[test]
fn a_watch_ends_when_it_is_dropped_even_in_the_middle_of_changes() {
    let watched = Watched::new("a.yml", |dir| write(&dir.join("a.yml")));
    write(&watched.path("a.yml"));
    let Watched { states, watch, dir } = watched;
    drop(watch);
    while states.try_recv().is_ok() {}
    write(&dir.path().join("a.yml"));
    assert!(states.recv().is_err(), "the callback is gone");
}
