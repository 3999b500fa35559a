//! Files that change, move and go.

use std::{fs::File, io::Write as _, os::unix::fs::PermissionsExt as _};

use super::{
    super::{Outcome, Reason},
    fake::{ARGS, Bench, OTHER_ARGS, mapping},
};
use crate::elf::testing::{Build, BuildNote};

fn bench() -> Bench {
    Bench::new([mapping("app:one")])
}

fn build(args: &str) -> Build {
    Build::with_notes([BuildNote::new("app:one", args, 0)])
}

/// A second link on the same inode would count every hit twice.
#[test]
fn another_name_or_mode_does_not_attach_again() {
    let mut bench = bench();
    let path = bench.write("app", &build(ARGS));
    assert!(matches!(bench.consider(&path), Outcome::Attached { .. }));
    let file = File::open(&path).unwrap();
    let (linked, moved) = (bench.path("linked"), bench.path("moved"));
    let changes: [&dyn Fn(); 5] = [
        &|| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap(),
        &|| std::fs::hard_link(&path, &linked).unwrap(),
        &|| std::fs::rename(&path, &moved).unwrap(),
        &|| file.set_modified(std::time::UNIX_EPOCH).unwrap(),
        &|| {
            std::fs::remove_file(&moved).unwrap();
            std::fs::remove_file(&linked).unwrap();
        },
    ];
    for change in changes {
        change();
        assert_eq!(
            bench.manager.consider(&file, &path, &crate::elf::DebugFiles::none()),
            Outcome::AlreadyAttached
        );
        assert_eq!(
            bench.manager.consider(&file, &path, &crate::elf::DebugFiles::none()),
            Outcome::AlreadyAttached
        );
    }
    assert_eq!((bench.kernel().links.len(), bench.kernel().live), (1, 1));
    assert!(bench.manager.take_superseded().is_empty());
    assert_eq!(bench.manager.registry().figures().images, 1);
    let id = crate::elf::identify(&file).unwrap();
    assert_eq!(bench.manager.forget(&id).len(), 1, "it is known by its present identity");
    assert_eq!(bench.kernel().live, 0);
}

/// Probes never sit on what they were not meant for.
#[test]
fn a_file_that_is_rewritten_in_place_loses_its_probes_and_gets_new_ones() {
    let mut bench = bench();
    let path = bench.write("app", &build(ARGS));
    bench.consider(&path);
    bench.write("app", &Build::with_notes([BuildNote::new("app:one", OTHER_ARGS, 32)]));
    assert_eq!(bench.consider(&path), Outcome::Attached { probes: 1, sites: 1 });
    let old = bench.manager.take_superseded();
    assert_eq!((old.len(), old[0].args.as_str()), (1, ARGS));
    assert_eq!((bench.kernel().links.len(), bench.kernel().live), (2, 1));
    let registry = bench.manager.registry();
    assert!(registry.probe(old[0].spec, old[0].generation).is_some(), "its last records can still be read");
    bench.manager.reclaim(&old);
    assert!(registry.probe(old[0].spec, old[0].generation).is_none());
    assert_eq!(registry.figures().images, 1);
}

#[test]
fn instructions_that_changed_alone_are_seen() {
    let mut bench = bench();
    let path = bench.write("app", &build(ARGS));
    bench.consider(&path);
    let mut other = build(ARGS);
    other.text[3] = 0xcc;
    bench.write("app", &other);
    assert!(matches!(bench.consider(&path), Outcome::Attached { .. }));
    assert_eq!(bench.manager.take_superseded().len(), 1);
    assert_eq!(bench.kernel().live, 1);
}

#[test]
fn a_file_that_is_no_program_any_more_loses_its_probes() {
    for content in ["", "#!/bin/sh\n", "\x7fELF\x01"] {
        let mut bench = bench();
        let path = bench.write("app", &build(ARGS));
        bench.consider(&path);
        std::fs::write(&path, content).unwrap();
        assert!(!matches!(bench.consider(&path), Outcome::Attached { .. } | Outcome::AlreadyAttached));
        assert_eq!(bench.kernel().live, 0, "{content:?}");
        assert_eq!(bench.manager.take_superseded().len(), 1);
    }
}

#[test]
fn a_file_that_was_replaced_is_another_image_beside_the_old_one() {
    let mut bench = bench();
    let path = bench.write("app", &build(ARGS));
    bench.consider(&path);
    let new = bench.write("new", &build(ARGS));
    std::fs::rename(new, &path).unwrap();
    assert!(matches!(bench.consider(&path), Outcome::Attached { .. }));
    assert_eq!(
        (bench.kernel().live, bench.manager.registry().figures().images),
        (2, 2),
        "the old one may still run"
    );
    assert!(bench.manager.take_superseded().is_empty());
}

/// After an image was let go its inode can be another file's.
#[test]
fn an_inode_that_is_used_again_is_another_image() {
    let mut bench = bench();
    let path = bench.write("app", &build(ARGS));
    bench.consider(&path);
    let id = crate::elf::identify(&File::open(&path).unwrap()).unwrap();
    let probes = bench.manager.forget(&id);
    bench.manager.reclaim(&probes);
    let mut file = File::options().write(true).open(&path).unwrap();
    file.write_all(&build(OTHER_ARGS).bytes()).unwrap();
    drop(file);
    assert!(matches!(bench.consider(&path), Outcome::Attached { .. }));
    assert!(bench.manager.take_superseded().is_empty());
    assert_eq!(bench.kernel().live, 1);
}

#[test]
fn what_was_refused_is_looked_at_again_when_it_has_changed() {
    let mut bench = bench();
    let path = bench.path("app");
    std::fs::write(&path, "\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0").unwrap();
    let outcome = bench.consider(&path);
    assert!(matches!(outcome, Outcome::Refused { reason: Reason::Unusable, .. }), "{outcome:?}");
    bench.write("app", &build(ARGS));
    assert!(matches!(bench.consider(&path), Outcome::Attached { .. }));
}
