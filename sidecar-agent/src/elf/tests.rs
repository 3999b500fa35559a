//! Markers of right, wrong and hostile files.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use proptest::prelude::*;

use super::testing::{Build, BuildNote, TEXT, TEXT_BIAS, file_of, note};
use super::*;

fn read(build: &Build) -> ImageNotes {
    read_notes(&file_of(&build.bytes()), &Limits::default()).unwrap()
}

fn whys(notes: &ImageNotes) -> Vec<&str> {
    notes.skipped.iter().map(|(_, why)| why.as_str()).collect()
}

/// A file whose bytes were changed at one offset after it was built.
fn patched(build: &Build, at: usize, bytes: &[u8]) -> File {
    let mut all = build.bytes();
    all[at..at + bytes.len()].copy_from_slice(bytes);
    file_of(&all)
}

fn error(file: &File) -> ElfError {
    read_notes(file, &Limits::default()).unwrap_err()
}

#[test]
fn sites_of_a_marker_are_read_with_their_offsets_semaphores_and_build_id() {
    let mut build = Build::with_notes([
        BuildNote::new("app:one", "8@%rdi", 0).with_semaphore(0),
        BuildNote::new("app:one", "8@%rsi", 16).with_semaphore(0),
        BuildNote::new("app:two", "", 32),
    ]);
    build.build_id = Some(vec![0xab; 20]);
    let notes = read(&build);
    assert_eq!(notes.arch, Arch::X86_64);
    assert_eq!(notes.build_id, Some(vec![0xab; 20]));
    let data = 0x2000;
    let expected =
        [("one", "8@%rdi", 0, Some(data)), ("one", "8@%rsi", 16, Some(data)), ("two", "", 32, None)];
    for (note, (name, args, site, semaphore)) in notes.notes.iter().zip(expected) {
        assert_eq!((note.provider.as_str(), note.name.as_str(), note.args.as_str()), ("app", name, args));
        assert_eq!(note.address, TEXT + TEXT_BIAS + site);
        assert_eq!(note.offset, TEXT + site);
        assert_eq!(note.semaphore, semaphore);
    }
    assert_eq!((notes.notes.len(), notes.skipped.len()), (3, 0));
}

#[test]
fn a_file_that_was_moved_after_linking_is_followed_by_its_base() {
    let mut build = Build::with_notes([BuildNote::new("app:one", "", 8).with_semaphore(2)]);
    build.moved = 0x7000_0000;
    let notes = read(&build);
    assert_eq!((notes.notes[0].offset, notes.notes[0].semaphore), (TEXT + 8, Some(0x2002)));
    assert_eq!(notes.notes[0].address, TEXT + TEXT_BIAS + 8 + 0x7000_0000);

    build.base = false;
    let notes = read(&build);
    assert_eq!(notes.notes, []);
    assert_eq!(whys(&notes), ["the address is in no executable part of the file"]);
    build.moved = 0;
    assert_eq!(read(&build).notes.len(), 1);
}

#[test]
fn only_wanted_markers_are_kept() {
    let build = Build::with_notes([BuildNote::new("a:x", "", 0), BuildNote::new("b:x", "", 1)]);
    let file = file_of(&build.bytes());
    let notes = read_notes_where(&file, &Limits::default(), |provider, _| provider == "b").unwrap();
    assert_eq!(notes.notes.len(), 1);
    assert_eq!(notes.notes[0].provider, "b");
}

#[test]
fn sites_and_semaphores_that_no_probe_can_use_are_skipped_with_the_reason() {
    let build = Build::with_notes([
        BuildNote::new("app:outside", "", 0x10_0000),
        BuildNote::new("app:end", "", 256),
        BuildNote::new("app:last", "", 255),
        BuildNote::new("app:odd", "", 1).with_semaphore(3),
        BuildNote::new("app:semaphore-outside", "", 2).with_semaphore(1 << 40),
        BuildNote::new("app:semaphore-end", "", 3).with_semaphore(64),
        BuildNote::new("app:shared", "", 4).with_semaphore(4),
        BuildNote::new("app:conflict", "", 4).with_semaphore(6),
        BuildNote::new("app:folded", "", 4).with_semaphore(4),
        BuildNote::new("app:shared", "8@%rdi", 4).with_semaphore(4),
    ]);
    let notes = read(&build);
    let names: Vec<_> = notes.notes.iter().map(|note| note.name.as_str()).collect();
    assert_eq!(names, ["last", "shared", "folded"]);
    let expected = [
        "no executable part",
        "no executable part",
        "odd address",
        "no writable part",
        "no writable part",
        "another semaphore",
        "at this address already",
    ];
    for (why, expected) in whys(&notes).iter().zip(expected) {
        assert!(why.contains(expected), "{why} should say: {expected}");
    }
    assert_eq!(notes.skipped.len(), expected.len());
    assert_eq!(notes.skipped[0].0, format!("app:outside at {:#x}", TEXT + TEXT_BIAS + 0x10_0000));
}

#[test]
fn a_site_inside_an_aarch64_instruction_is_skipped() {
    let notes = [BuildNote::new("app:in", "", 2), BuildNote::new("app:on", "", 4)];
    let notes = read(&Build { arch: Arch::Aarch64, ..Build::with_notes(notes) });
    assert_eq!(notes.notes.len(), 1);
    assert_eq!(whys(&notes), ["the address is inside an instruction"]);
}

#[test]
fn malformed_notes_are_skipped_and_the_others_work() {
    let address = (TEXT + TEXT_BIAS).to_le_bytes();
    let base = address;
    let desc = |strings: &[u8]| [&address, &base, &[0; 8][..], strings].concat();
    let notes = [
        note("stapsdt", 3, &[0; 10]),
        note("stapsdt", 3, &desc(b"one")),
        note("stapsdt", 3, &desc(b"p\0\xff\xfe\0\0")),
        note("stapsdt", 3, &desc(b"\0name\0\0")),
        note("stapsdt", 3, &desc(&[&[b'x'; 5000][..], b"\0n\0\0"].concat())),
        note("stapsdt", 3, &desc(&vec![b'x'; 70_000])),
        note("GNU", 3, &[1, 2, 3]),
        note("stapsdt", 7, &desc(b"p\0other-type\0\0")),
        note("stapsdt", 3, &desc(b"p\0good\0-4@%edi\0")),
        vec![8, 0, 0, 0, 255, 255, 255, 255, 3, 0, 0, 0, 0, 0, 0, 0],
    ];
    let notes = read(&Build { note_bytes: Some(notes.concat()), ..Build::default() });
    assert_eq!(notes.notes.len(), 1);
    assert_eq!((notes.notes[0].name.as_str(), notes.notes[0].args.as_str()), ("good", "-4@%edi"));
    let whys = whys(&notes);
    assert_eq!(whys.len(), 7, "{whys:?}");
    for (why, expected) in whys.iter().zip(["three addresses", "three strings", "UTF-8", "no marker"]) {
        assert!(why.contains(expected), "{why} should say: {expected}");
    }
    assert!(whys[4].contains("longer than the limit") && whys[5].contains("longer than the limit"));
}

#[test]
fn limits_on_notes_are_kept_and_said() {
    let notes = (0..20).map(|site| BuildNote::new("app:many", "", site));
    let file = file_of(&Build::with_notes(notes).bytes());
    let limits = Limits { notes: 5, ..Limits::default() };
    let notes = read_notes(&file, &limits).unwrap();
    assert_eq!(notes.notes.len(), 5);
    assert_eq!(notes.skipped, [("the markers from note 5 on".into(), "more than the limit of 5".into())]);
    // A million markers are more bytes of notes than any program has.
    let many = note("stapsdt", 3, &[0; 64]).repeat(1_000_000);
    let many = file_of(&Build { note_bytes: Some(many), ..Build::default() }.bytes());
    assert!(matches!(read_notes(&many, &Limits::default()), Err(ElfError::TooLarge { .. })));
    let limits = Limits { note_bytes: 1 << 30, ..Limits::default() };
    let skipped = read_notes(&many, &limits).unwrap().skipped;
    assert_eq!((skipped.len(), skipped[63].0.as_str()), (64, "99938 more"));
    let limits = Limits { note_bytes: 100, ..Limits::default() };
    assert!(matches!(read_notes(&file, &limits), Err(ElfError::TooLarge { limit: 100, .. })));

    let bad = (0..50).map(|_| BuildNote::new("app:bad", "", 1 << 30));
    let limits = Limits { skipped: 4, ..Limits::default() };
    let notes = read_notes(&file_of(&Build::with_notes(bad).bytes()), &limits).unwrap();
    assert_eq!(notes.skipped.len(), 4);
    assert_eq!(notes.skipped[3].0, "47 more");

    let crowd = (0..40).map(|i| BuildNote::new(&format!("app:m{i}"), "", 0));
    assert_eq!(read(&Build::with_notes(crowd)).notes.len(), 16);
}

#[test]
fn fifty_thousand_sites_are_read() {
    let count = 50_000;
    let notes = (0..count).map(|site| BuildNote::new("app:many", "8@%rdi -4@%esi", site));
    let build = Build { text: vec![0x90; count as usize], ..Build::with_notes(notes) };
    assert_eq!(read(&build).notes.len(), count as usize);
}

#[test]
fn files_that_are_no_programs_are_refused_by_name() {
    let build = Build::with_notes([BuildNote::new("app:one", "", 0)]);
    assert!(matches!(error(&file_of(b"#!/bin/sh\n")), ElfError::NotElf));
    assert!(matches!(error(&file_of(b"")), ElfError::NotElf));
    assert!(matches!(error(&patched(&build, 4, &[1])), ElfError::Class32));
    assert!(matches!(error(&patched(&build, 4, &[9])), ElfError::Malformed(_)));
    assert!(matches!(error(&patched(&build, 5, &[2])), ElfError::BigEndian));
    assert!(matches!(error(&patched(&build, 16, &[1])), ElfError::Kind(1)));
    assert!(matches!(error(&patched(&build, 18, &[243])), ElfError::Machine(243)));
    assert!(matches!(error(&File::open("/").unwrap()), ElfError::NotAFile));
    assert!(error(&patched(&build, 4, &[1])).to_string().contains("32-bit"));
}

#[test]
fn tables_outside_the_file_or_past_the_limits_are_refused() {
    let build = Build::with_notes([BuildNote::new("app:one", "", 0)]);
    let huge = (u64::MAX - 8).to_le_bytes();
    assert!(matches!(error(&patched(&build, 40, &huge)), ElfError::Truncated { .. }));
    assert!(matches!(error(&patched(&build, 32, &huge)), ElfError::Truncated { .. }));
    assert!(matches!(error(&patched(&build, 60, &[255, 255])), ElfError::Truncated { .. }));
    assert!(matches!(error(&patched(&build, 58, &[63])), ElfError::Malformed(_)));
    assert!(matches!(error(&patched(&build, 54, &[55])), ElfError::Malformed(_)));
    assert!(matches!(error(&patched(&build, 56, &[255, 255])), ElfError::TooLarge { .. }));
    let file = file_of(&build.bytes());
    file.set_len(5 << 30).unwrap();
    assert!(matches!(error(&file), ElfError::TooLarge { .. }));
    file.set_len(40).unwrap();
    assert!(matches!(error(&file), ElfError::Truncated { .. }));

    // The size of the note section itself (section 1).
    let bytes = build.bytes();
    let sections = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    assert!(matches!(error(&patched(&build, sections + 64 + 32, &huge)), ElfError::TooLarge { .. }));
    assert!(matches!(error(&patched(&build, sections + 64 + 24, &huge)), ElfError::Truncated { .. }));
    // No section table at all: no markers, and no error.
    let none = read_notes(&patched(&build, 40, &[0; 8]), &Limits::default()).unwrap();
    assert_eq!(none.notes, []);
    // More sections than the header can count: the number is in the first section.
    let mut many = build.bytes();
    let count = u64::from(many[60]);
    many[60] = 0;
    many[sections + 32..sections + 40].copy_from_slice(&count.to_le_bytes());
    assert_eq!(read_notes(&file_of(&many), &Limits::default()).unwrap().notes.len(), 1);
    many[sections + 32..sections + 40].copy_from_slice(&huge);
    assert!(matches!(error(&file_of(&many)), ElfError::TooLarge { .. }));
}

#[test]
fn writable_code_takes_no_probe() {
    let build = Build::with_notes([BuildNote::new("app:one", "", 0)]);
    let notes = read_notes(&patched(&build, 64 + 4, &[7]), &Limits::default()).unwrap();
    assert_eq!(notes.notes, []);
    assert!(whys(&notes)[0].contains("writable"));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let build = Build::with_notes([BuildNote::new("app:one", "", 0)]);
    let changes: [fn(&File); 3] = [
        |file| file.write_all_at(&[0xcc], TEXT).unwrap(),
        |file| file.set_len(100).unwrap(),
        |mut file| file.write_all(b"longer").unwrap(),
    ];
    for change in changes {
        let file = file_of(&build.bytes());
        let result = read_notes_where(&file, &Limits::default(), |_, _| {
            change(&file);
            true
        });
        assert!(matches!(result, Err(ElfError::Changed)), "{result:?}");
    }
}

#[test]
fn markers_of_real_programs_are_read() {
    for (path, provider, marker) in [
        ("/usr/bin/python3", "python", "function__entry"),
        ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "libstdcxx", "throw"),
        ("/usr/local/bin/cargo-nextest", "nextest", "test-attempt-start"),
    ] {
        let Ok(file) = open(Path::new(path)) else {
            eprintln!("not tested: there is no {path}");
            continue;
        };
        let notes = read_notes(&file, &Limits::default()).unwrap();
        let found = notes.notes.iter().find(|note| note.provider == provider && note.name == marker);
        assert!(found.is_some(), "{path}: {:?}", notes.skipped);
        assert!(notes.build_id.is_some() && notes.skipped.is_empty(), "{path}: {:?}", notes.skipped);
    }
}

/// Everything that reads a file, on one file; the results do not matter, only that there are any.
fn read_all(file: &File) {
    let limits = Limits::default();
    let notes = read_notes(file, &limits);
    let _ = needed(file, &limits);
    let _ = symbol_addresses(file, &limits, &["x".to_owned(), "NBuffers".to_owned()]);
    let mut offsets: Vec<_> = notes.iter().flat_map(|notes| &notes.notes).map(|note| note.offset).collect();
    offsets.sort_unstable();
    let len = file.metadata().unwrap().len();
    assert!(offsets.iter().all(|&offset| offset < len));
    sample(file, &offsets, &mut std::hash::DefaultHasher::new()).unwrap();
}

fn rich() -> Vec<u8> {
    let notes =
        (0..8).map(|site| BuildNote::new("app:many", "8@%rdi -4@x(%rip)", site).with_semaphore(site * 2));
    Build {
        needed: vec!["libc.so.6".into()],
        runpath: Some("$ORIGIN".into()),
        interp: Some("/lib/ld.so".into()),
        symbols: vec![("x".into(), 5)],
        build_id: Some(vec![1; 20]),
        ..Build::with_notes(notes)
    }
    .bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..512), elf: bool) {
        let head = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0];
        if elf && bytes.len() >= head.len() {
            bytes[..head.len()].copy_from_slice(&head);
        }
        read_all(&file_of(&bytes));
    }

    #[test]
    fn a_changed_or_truncated_file_never_panics(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        keep in any::<prop::sample::Index>(),
        truncate: bool,
    ) {
        let mut bytes = rich();
        // The code between the headers and the data is not looked at.
        let interesting: Vec<usize> = (0..600).chain(0x2000..bytes.len()).collect();
        for (at, value) in changes {
            bytes[*at.get(&interesting)] = value;
        }
        if truncate {
            bytes.truncate(keep.index(bytes.len()));
        }
        read_all(&file_of(&bytes));
    }

    #[test]
    fn changed_fields_of_a_real_program_never_panic(
        changes in proptest::collection::vec((0usize..2048, any::<u64>()), 1..4),
    ) {
        // The first bytes of this test: its ELF header, its segments, its dynamic strings; sections are cut off.
        let file = File::open("/proc/self/exe").unwrap();
        let mut bytes = vec![0; 64 << 10];
        file.read_exact_at(&mut bytes, 0).unwrap();
        for (at, value) in changes {
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        read_all(&file_of(&bytes));
    }
}
