//! What is full, what fails, and what is used again.

use std::fs::File;

use super::{
    super::{Capacity, Outcome, Reason},
    fake::{ARGS, Bench, OTHER_ARGS, end, mapping},
};
use crate::elf::{
    identify,
    testing::{Build, BuildNote},
};

fn refusal(outcome: &Outcome) -> (Reason, &str) {
    match outcome {
        Outcome::Refused { reason, message, .. } => (*reason, message),
        other => panic!("{other:?}"),
    }
}

fn two(first: u64) -> [BuildNote; 2] {
    [BuildNote::new("app:one", ARGS, first), BuildNote::new("app:one", OTHER_ARGS, first + 16)]
}

#[test]
fn specs_that_are_used_up_are_told_once_and_come_back() {
    let capacity = Capacity { specs: 3, ..Capacity::default() };
    let mut bench = Bench::with_capacity([mapping("app:one")], capacity);
    let first = bench.write("first", &Build::with_notes(two(0)));
    bench.consider(&first);
    let second = bench.write("second", &Build::with_notes(two(32)));
    let outcome = bench.consider(&second);
    let (reason, message) = refusal(&outcome);
    assert_eq!(reason, Reason::Full);
    assert!(
        message.contains("2 of the 1 specs left") && message.contains("discovery.max_specs"),
        "{message}"
    );
    assert!(matches!(bench.consider(&second), Outcome::Refused { again: true, .. }));
    assert_eq!(bench.refusals(Reason::Full), 1, "one that was refused is not read again and again");

    let probes = bench.manager.forget(&identify(&File::open(&first).unwrap()).unwrap());
    assert!(matches!(bench.consider(&second), Outcome::Refused { .. }), "not before they were taken back");
    bench.manager.reclaim(&probes);
    assert_eq!(bench.consider(&second), Outcome::Attached { probes: 2, sites: 2 });
}

#[test]
fn images_that_are_used_up_are_told() {
    let capacity = Capacity { images: 1, ..Capacity::default() };
    let mut bench = Bench::with_capacity([mapping("app:one")], capacity);
    bench.consider_build([BuildNote::new("app:one", ARGS, 0)]);
    let outcome = bench.consider_build([BuildNote::new("app:one", ARGS, 0)]);
    let (reason, message) = refusal(&outcome);
    assert_eq!(reason, Reason::Full);
    assert!(message.contains("1 of 1 images"), "{message}");
}

#[test]
fn a_mapping_without_a_free_histogram_works_without_one() {
    let capacity = Capacity { histograms: 1, ..Capacity::default() };
    let mut bench = Bench::with_capacity([end("app:one", &[]), end("app:two", &[])], capacity);
    bench.consider_build([BuildNote::new("app:one", ARGS, 0), BuildNote::new("app:two", ARGS, 16)]);
    bench.consider_build([BuildNote::new("app:one", ARGS, 0)]);
    let mut histograms: Vec<_> = bench
        .manager
        .registry()
        .probes()
        .iter()
        .map(|probe| (probe.mapping.marker.clone(), probe.histogram))
        .collect();
    histograms.sort();
    let expected = [("one", Some(0)), ("one", Some(0)), ("two", None)];
    assert_eq!(histograms, expected.map(|(name, index)| (name.to_owned(), index)), "a mapping has one");
}

#[test]
fn status_tables_are_shared_and_end_with_a_reason() {
    let word = |i: usize| format!("word{i}");
    let mappings = (0..256).map(|i| end(&format!("app:m{i}"), &[(&word(i), "failed")]));
    let twin = end("app:twin", &[("word0", "failed")]);
    let mut bench = Bench::new(mappings.chain([twin]));
    for i in 0..255 {
        bench.consider_build([BuildNote::new(&format!("app:m{i}"), ARGS, 0)]);
    }
    assert_eq!(bench.kernel().tables.len(), 255);
    assert!(matches!(bench.consider_build([BuildNote::new("app:twin", ARGS, 0)]), Outcome::Attached { .. }));
    let outcome = bench.consider_build([BuildNote::new("app:m255", ARGS, 0)]);
    let (reason, message) = refusal(&outcome);
    assert_eq!(reason, Reason::Full);
    assert!(message.contains("255 status tables"), "{message}");
    assert_eq!(bench.kernel().live, 256);
}

#[test]
fn a_refusal_by_the_kernel_gives_the_specs_back() {
    let capacity = Capacity { specs: 2, ..Capacity::default() };
    let mut bench = Bench::with_capacity([mapping("app:one")], capacity);
    bench.change_kernel(|kernel| kernel.refuse_links = true);
    let outcome = bench.consider_build(two(0));
    assert_eq!(refusal(&outcome), (Reason::Kernel, "the kernel says no"));
    bench.change_kernel(|kernel| {
        kernel.refuse_links = false;
        kernel.refuse_specs_from = Some(1);
    });
    let outcome = bench.consider_build(two(0));
    assert_eq!(refusal(&outcome).0, Reason::Kernel);
    assert!(bench.manager.registry().probes().is_empty());
    bench.change_kernel(|kernel| kernel.refuse_specs_from = None);
    assert_eq!(bench.consider_build(two(0)), Outcome::Attached { probes: 2, sites: 2 });
    assert_eq!(bench.refusals(Reason::Kernel), 2);
}

#[test]
fn a_spec_that_is_used_again_has_another_generation() {
    let capacity = Capacity { specs: 1, ..Capacity::default() };
    let mut bench = Bench::with_capacity([mapping("app:one")], capacity);
    let registry = bench.manager.registry();
    for generation in 1..4 {
        let path = bench.write("app", &Build::with_notes([BuildNote::new("app:one", ARGS, generation)]));
        assert!(matches!(bench.consider(&path), Outcome::Attached { .. }));
        let generation = generation as u32;
        assert_eq!(bench.kernel().specs[&0].generation, generation);
        assert!(registry.probe(0, generation).is_some());
        assert!(
            registry.probe(0, generation - 1).is_none(),
            "a late record of the former use is none of this"
        );
        let probes = bench.manager.forget(&identify(&File::open(&path).unwrap()).unwrap());
        assert!(registry.probe(0, generation).is_some(), "its last records can still be read");
        bench.manager.reclaim(&probes);
        assert!(registry.probe(0, generation).is_none());
    }
    assert_eq!(bench.kernel().live, 0);
}

#[test]
fn what_is_remembered_is_bounded() {
    let capacity = Capacity { remembered: 2, ..Capacity::default() };
    let mut bench = Bench::with_capacity([mapping("app:one")], capacity);
    let paths: Vec<_> =
        (0..3).map(|i| bench.write_raw(&format!("f{i}"), b"\x7fELF\x01\x01\x01\0 32-bit")).collect();
    for path in &paths {
        assert!(matches!(bench.consider(path), Outcome::Refused { again: false, .. }));
    }
    assert!(matches!(bench.consider(&paths[2]), Outcome::Refused { again: true, .. }));
    assert!(matches!(bench.consider(&paths[0]), Outcome::Refused { again: false, .. }), "it was forgotten");
    bench.manager.shed_cache();
    assert!(matches!(bench.consider(&paths[2]), Outcome::Refused { again: false, .. }), "all were given up");
}

#[test]
fn all_is_let_go_and_still_known() {
    let mut bench = Bench::new([mapping("app:one")]);
    bench.consider_build(two(0));
    bench.consider_build(two(0));
    bench.manager.let_go();
    assert_eq!(bench.kernel().live, 0);
    let registry = bench.manager.registry();
    assert_eq!((registry.probes().len(), registry.figures().sites), (4, 4));
}
