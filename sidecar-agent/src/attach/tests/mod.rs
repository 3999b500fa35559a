//! The manager with a table in the place of the kernel.

mod changes;
mod fake;
mod functions;
mod limits;

use std::{io::Write as _, path::Path};

use sidecar_common::{KIND_INTEGER, LOC_UNREAD};

use super::*;
use crate::elf::testing::{Build, BuildNote};
use fake::{ARGS, Bench, OTHER_ARGS, PARTLY, mapping};

#[test]
fn two_sites_that_read_their_arguments_alike_share_a_spec_and_others_do_not() {
    let mut bench = Bench::new([mapping("app:one"), mapping("app:two")]);
    let outcome = bench.consider_build([
        BuildNote::new("app:one", ARGS, 0),
        BuildNote::new("app:one", ARGS, 16),
        BuildNote::new("app:one", OTHER_ARGS, 32),
        BuildNote::new("app:two", ARGS, 48),
        BuildNote::new("foreign:one", ARGS, 64),
    ]);
    assert_eq!(outcome, Outcome::Attached { probes: 3, sites: 4 });
    let sites = bench.kernel().links[0].clone();
    let cookie =
        |site: u64| sites.iter().find(|s| s.offset == crate::elf::testing::TEXT + site).map(|s| s.cookie);
    assert_eq!(cookie(0), cookie(16));
    let mut cookies = [cookie(0), cookie(32), cookie(48)];
    cookies.sort_unstable();
    assert_eq!(cookies, [Some(0), Some(1), Some(2)]);
    assert_eq!(cookie(64), None, "nobody wants the provider foreign");
    let one = bench.manager.registry().probe(cookie(0).unwrap() as u32, 1).unwrap();
    assert_eq!((one.sites, one.args.as_str(), one.mapping.marker.as_str()), (2, ARGS, "one"));
}

/// Other than bpftrace did (its issue 3601), which took the first site's semaphore for all.
#[test]
fn each_site_keeps_its_own_semaphore() {
    let mut bench = Bench::new([mapping("app:one")]);
    bench.consider_build([
        BuildNote::new("app:one", ARGS, 0).with_semaphore(0),
        BuildNote::new("app:one", ARGS, 16).with_semaphore(6),
        BuildNote::new("app:one", ARGS, 32),
    ]);
    let kernel = bench.kernel();
    let semaphores: Vec<u64> = kernel.links[0].iter().map(|site| site.semaphore).collect();
    assert_eq!(semaphores, [0x2000, 0x2006, 0]);
    assert!(kernel.links[0].iter().all(|site| site.cookie == 0));
}

#[test]
fn an_argument_that_can_not_be_parsed_is_unread_and_the_rest_works() {
    let mut bench = Bench::new([mapping("app:one")]);
    bench.consider_build([BuildNote::new("app:one", PARTLY, 0)]);
    let probe = bench.manager.registry().probe(0, 1).unwrap();
    assert_eq!(probe.unreadable, 0b010);
    let spec = bench.kernel().specs[&0];
    assert_eq!(spec.argc, 3);
    assert_eq!(spec.args[1].location, LOC_UNREAD);
    for arg in [spec.args[0], spec.args[2]] {
        assert!(arg.location != LOC_UNREAD && arg.kind == KIND_INTEGER);
    }
}

#[test]
fn an_image_is_attached_once_however_many_paths_lead_to_it() {
    let mut bench = Bench::new([mapping("app:one")]);
    let path = bench.write("a", &Build::with_notes([BuildNote::new("app:one", ARGS, 0)]));
    let link = bench.path("b");
    assert_eq!(bench.consider(&path), Outcome::Attached { probes: 1, sites: 1 });
    assert_eq!(bench.consider(&path), Outcome::AlreadyAttached);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(bench.consider(&link), Outcome::AlreadyAttached);
    let copy = bench.path("copy");
    std::fs::copy(&path, &copy).unwrap();
    assert!(matches!(bench.consider(&copy), Outcome::Attached { .. }), "a copy is another image");
    assert_eq!(bench.manager.registry().figures().images, 2);
}

#[test]
fn what_has_nothing_to_attach_is_looked_at_once() {
    let mut bench = Bench::new([mapping("app:one")]);
    let script = bench.path("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let other = bench.write("other", &Build::with_notes([BuildNote::new("other:one", ARGS, 0)]));
    for path in [&script, &other, &script, &other] {
        assert_eq!(bench.consider(path), Outcome::NothingWanted);
    }
    assert_eq!(bench.kernel().links.len(), 0);
    assert!(bench.manager.registry().figures().refusals.values().all(|count| *count == 0));
}

#[test]
fn what_is_no_file_is_refused_with_the_reason() {
    let mut bench = Bench::new([mapping("app:one")]);
    let folder = bench.path("");
    let file = File::open(&folder).unwrap();
    let outcome = bench.manager.consider(&file, Path::new("folder"), &crate::elf::DebugFiles::none());
    assert!(matches!(outcome, Outcome::Refused { reason: Reason::Unreadable, .. }), "{outcome:?}");
}

#[test]
fn hostile_files_are_refused_once_and_remembered() {
    let mut bench = Bench::new([mapping("app:one")]);
    let build = Build::with_notes([BuildNote::new("app:one", ARGS, 0)]);
    let mut bytes = build.bytes();
    bytes[4] = 1;
    let narrow = bench.path("32-bit");
    std::fs::write(&narrow, &bytes).unwrap();
    let mut bytes = build.bytes();
    bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    let hostile = bench.path("hostile");
    std::fs::write(&hostile, &bytes).unwrap();
    for again in [false, true] {
        for path in [&narrow, &hostile] {
            let outcome = bench.consider(path);
            let Outcome::Refused { reason, again: told, .. } = &outcome else { panic!("{outcome:?}") };
            assert_eq!((*reason, *told), (Reason::Unusable, again));
        }
    }
    assert_eq!(bench.refusals(Reason::Unusable), 2, "counted once each");
}

/// A foreign architecture's markers are for its own processor.
#[test]
fn markers_for_another_processor_are_refused() {
    let mut bench = Bench::new([mapping("app:one")]);
    let arch =
        if cfg!(target_arch = "x86_64") { crate::elf::Arch::Aarch64 } else { crate::elf::Arch::X86_64 };
    let build = Build { arch, ..Build::with_notes([BuildNote::new("app:one", ARGS, 0)]) };
    let path = bench.write_raw("foreign", &build.bytes());
    let outcome = bench.consider(&path);
    assert!(matches!(outcome, Outcome::Refused { reason: Reason::Foreign, .. }), "{outcome:?}");
}

/// Whoever reads events or scrapes does not wait for a file that takes long.
#[test]
fn the_registry_answers_while_the_manager_attaches() {
    let mut bench = Bench::new([mapping("app:one")]);
    let registry = bench.manager.registry();
    let (seen, said) = std::sync::mpsc::channel();
    bench.while_attaching(move || {
        let registry = registry.clone();
        let seen = seen.clone();
        std::thread::spawn(move || seen.send((registry.probe(0, 1).is_some(), registry.figures().images)))
            .join()
            .unwrap()
            .unwrap();
    });
    bench.consider_build([BuildNote::new("app:one", ARGS, 0)]);
    assert_eq!(said.recv().unwrap(), (true, 0), "the probe is known before its first record can come");
}

/// The symbols of operands are looked up in the file, each once, and not without end.
#[cfg(target_arch = "x86_64")]
#[test]
fn operands_relative_to_the_instruction_are_resolved_up_to_a_number_of_symbols() {
    let mut bench = Bench::new([mapping("app:one")]);
    let names: Vec<String> = (0..40).map(|i| format!("variable_{i}")).collect();
    let mut build = Build::with_notes(
        (0..40).map(|i| BuildNote::new("app:one", &format!("8@{}(%rip)", names[i]), i as u64)),
    );
    build.symbols = names.iter().map(|name| (name.clone(), 0x20_2000)).collect();
    let path = bench.write("symbols", &build);
    assert_eq!(bench.consider(&path), Outcome::Attached { probes: 40, sites: 40 });
    let unread = bench.manager.registry().probes().iter().filter(|probe| probe.unreadable != 0).count();
    let resolved = 40 - unread;
    assert_eq!(resolved, 32);
}

/// The file is open for writing while it is read and attached to.
#[test]
fn a_file_that_is_written_to_while_it_is_attached_is_looked_at_again_and_then_refused() {
    for (writes, attached) in [(1, true), (2, true), (1_000, false)] {
        let mut bench = Bench::new([mapping("app:one")]);
        let path = bench.write("app", &Build::with_notes([BuildNote::new("app:one", ARGS, 0)]));
        let (written, mut left) = (path.clone(), writes);
        bench.while_putting_a_spec(move || {
            if left > 0 {
                left -= 1;
                let mut file = File::options().write(true).open(&written).unwrap();
                std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(crate::elf::testing::TEXT)).unwrap();
                file.write_all(&[0xcc]).unwrap();
            }
        });
        let outcome = bench.consider(&path);
        let kept = usize::from(attached);
        assert_eq!(matches!(outcome, Outcome::Attached { .. }), attached, "{outcome:?}");
        assert_eq!(
            matches!(outcome, Outcome::Refused { reason: Reason::Changed, .. }),
            !attached,
            "{outcome:?}"
        );
        assert_eq!((bench.kernel().links.len(), bench.manager.registry().probes().len()), (kept, kept));
        let refused = bench.manager.registry().figures().refusals[&Reason::Changed];
        assert_eq!(refused, u64::from(!attached), "counted once");
        bench.while_putting_a_spec(|| {});
        let again = bench.consider(&path);
        assert!(matches!(again, Outcome::Attached { .. } | Outcome::AlreadyAttached), "it is tried again");
    }
}
