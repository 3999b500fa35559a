//! Functions of right, wrong and hostile files.

use super::testing::*;
use super::*;

#[test]
fn functions_are_found_by_name_glob_expression_and_offset() {
    let mut image = Image::with(&[("main", 0, 16), ("_ZN3app4stepEi", 16, 16), ("_ZN3app4stopEv", 32, 16)]);
    image.symbols.push(("app_table".into(), 48, 8, OBJECT));
    let file = image.file();
    let found =
        find(&file, &["main", "app::step(int)", "app::*", "/^app::st.p/", "_ZN3app4stopEv", "+0x1010"]);
    let all: Vec<_> = found.iter().map(names).collect();
    let (step, stop) = ("_ZN3app4stepEi", "_ZN3app4stopEv");
    assert_eq!(all, [vec!["main"], vec![step], vec![step, stop], vec![step, stop], vec![stop], vec![step]]);
    let expected = Function {
        name: step.into(),
        demangled: "app::step(int)".into(),
        address: BIAS + TEXT + 16,
        offset: TEXT + 16,
        size: 16,
        is_start: true,
        entry: Entry { offset: TEXT + 16, cost: EntryCost::Emulated },
    };
    for found in [&found[1], &found[5]] {
        assert_eq!(found.found, std::slice::from_ref(&expected));
    }
    assert!(found.iter().all(|functions| functions.refused.is_empty() && functions.omitted == 0));
}

#[test]
fn names_of_one_address_count_once_and_versions_are_no_part_of_a_name() {
    let image =
        Image::with(&[("memcpy@@GLIBC_2.14", 0, 16), ("memmove", 0, 16), ("memset@GLIBC_2.2.5", 16, 16)]);
    assert_eq!(names(&find_one(&image, "mem*")), ["memcpy", "memset"]);
    assert_eq!(names(&find_one(&image, "memmove")), ["memmove"]);
}

#[test]
fn symbols_of_rust_are_matched_without_their_hash() {
    let image = Image::with(&[
        ("_ZN3app5tests4runs17h0123456789abcdefE", 0, 16),
        ("_RNvNtCs1234_7mycrate3foo3bar", 16, 16),
    ]);
    let found = find(&image.file(), &["app::tests::runs", "mycrate::foo::bar"]);
    assert_eq!(found.iter().map(|functions| functions.found.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn the_probe_goes_behind_endbr64_when_that_is_cheap() {
    let text = [
        &[0xf3, 0x0f, 0x1e, 0xfa, 0x55][..],
        &[0xc3; 11],
        &[0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0],
        &[0xc3; 10],
    ];
    let image = Image::with(&[("cheap", 0, 16), ("dear", 16, 16)]).text(&text.concat());
    let found = find_one(&image, "*");
    let entries: Vec<_> = found.found.iter().map(|function| function.entry).collect();
    let cheap = Entry { offset: TEXT + 4, cost: EntryCost::Emulated };
    assert_eq!(entries, [cheap, Entry { offset: TEXT + 16, cost: EntryCost::SingleStepped }]);
    assert_eq!(found.found[0].offset, TEXT);
}

#[test]
fn what_can_not_be_probed_is_refused_with_its_reason() {
    let symbol = |name: &str, at, size, kind| Image {
        symbols: vec![(name.to_owned(), at, size, kind)],
        text: [&[0x55; 248][..], &[0x06; 8]].concat(),
        ..Image::default()
    };
    for (image, expected) in [
        (symbol("f", 0, 16, IFUNC), "IFUNC"),
        (symbol("f", 0, 0, FUNC), "no size"),
        (symbol("f.cold", 0, 16, FUNC), "jumped to"),
        (symbol("f", 256, 16, FUNC), "in data"),
        (symbol("f", 0u64.wrapping_sub(0x1000), 16, FUNC), "in data"),
        (symbol("f", 1 << 40, 16, FUNC), "no executable part"),
        (symbol("f", 0, 1 << 40, FUNC), "ends outside"),
        (symbol("f", 0, u64::MAX, FUNC), "ends outside"),
        (symbol("f", 248, 8, FUNC), "no instruction"),
    ] {
        let found = find_one(&image, "f*");
        assert!(why(&found).contains(expected), "{found:?} should say: {expected}");
    }
    let table = find_one(&symbol("f", 0, 16, OBJECT), "f*");
    assert_eq!(table, Functions::default(), "a variable is no function");
}

/// `mov $0x11111111, %eax` again and again: an instruction each five bytes.
fn moves() -> Vec<u8> {
    [0xb8, 0x11, 0x11, 0x11, 0x11].repeat(50)
}

#[test]
fn an_offset_inside_an_instruction_or_outside_of_code_is_refused() {
    let image = Image::with(&[("f", 5, 100)]).text(&moves());
    let found =
        find(&image.file(), &["+0x1005", "+0x100a", "+0x1007", "+0x1000", "+0x10fa", "+0x9999", "+0x10"]);
    let starts: Vec<_> =
        found[..2].iter().flat_map(|found| &found.found).map(|f| (f.address, f.is_start)).collect();
    assert_eq!(starts, [(BIAS + TEXT + 5, true), (BIAS + TEXT + 10, false)]);
    let expected =
        ["inside an instruction", "neither a symbol nor", "in data", "no executable part", "in data"];
    for (found, expected) in found[2..].iter().zip(expected) {
        assert!(why(found).contains(expected), "{found:?} should say: {expected}");
    }
}

#[test]
fn unwind_tables_tell_where_instructions_begin_in_a_stripped_file() {
    let image = Image { text: moves(), frames: vec![(0, 50), (100, 50)], ..Image::default() };
    for has_sections in [true, false] {
        let image = Image {
            has_sections,
            text: image.text.clone(),
            frames: image.frames.clone(),
            ..Image::default()
        };
        let found = find(&image.file(), &["+0x1000", "+0x1069", "+0x106a", "+0x1037"]);
        assert_eq!((found[0].found[0].is_start, found[1].found[0].is_start), (true, false));
        assert_eq!((found[1].found[0].name.as_str(), found[1].found[0].size), ("", 45));
        assert!(why(&found[2]).contains("inside an instruction"));
        assert!(why(&found[3]).contains("neither a symbol nor"), "it is in no frame");
    }
}

#[test]
fn a_symbol_inside_an_instruction_of_an_unwind_frame_is_refused() {
    let mut image = Image::with(&[("on", 5, 10), ("inside", 6, 10)]).text(&moves());
    image.frames = vec![(0, 50)];
    let found = find(&image.file(), &["on", "inside"]);
    assert_eq!(names(&found[0]), ["on"]);
    assert!(why(&found[1]).contains("inside an instruction"));
}

#[test]
fn aarch64_instructions_are_at_multiples_of_four() {
    let stp = 0xa9bf_7bfd_u32.to_le_bytes().repeat(16);
    let image = Image { machine: 183, ..Image::with(&[("f", 4, 32), ("odd", 6, 8)]) }.text(&stp);
    let found = find(&image.file(), &["f", "odd", "+0x1008", "+0x100a", "+0x1038"]);
    assert_eq!(found[0].found[0].entry, Entry { offset: TEXT + 4, cost: EntryCost::SingleStepped });
    assert!(why(&found[1]).contains("inside an instruction"));
    assert!(!found[2].found[0].is_start);
    assert!(why(&found[3]).contains("inside an instruction"));
    assert!(!found[4].found[0].is_start, "nothing is known of it but that it is aligned");
}

#[test]
fn a_million_symbols_are_streamed_and_what_is_beyond_the_limit_is_counted() {
    let symbols = (0..1_000_000).map(|i| (format!("f{i}"), i, 1, FUNC)).collect();
    let image = Image { text: vec![0x55; 1_000_000], symbols, ..Image::default() };
    let file = image.file();
    let patterns = [FunctionPattern::regex("^f").unwrap(), FunctionPattern::exact("f999999").unwrap()];
    let most = FunctionLimits {
        time: std::time::Duration::from_secs(600),
        found: 1000,
        ..FunctionLimits::default()
    };
    let found = functions(&file, &Limits::default(), &most, &patterns, &DebugFiles::none()).unwrap();
    assert_eq!((found.matched[0].found.len(), found.matched[0].omitted), (1000, 999_000));
    assert_eq!((names(&found.matched[1]), found.symbols), (vec!["f999999"], 1_000_001));
    assert_eq!(found.incomplete, [""; 0]);

    let most = FunctionLimits { symbols: 5_000, ..most };
    let found = functions(&file, &Limits::default(), &most, &patterns, &DebugFiles::none()).unwrap();
    assert_eq!((found.symbols, names(&found.matched[1]).len()), (5_000, 0));
    assert_eq!(
        found.incomplete,
        ["the symbols: 995001 symbols are beyond the limit of 5000 and were not read"]
    );

    let most = FunctionLimits { time: std::time::Duration::ZERO, ..FunctionLimits::default() };
    let found = functions(&file, &Limits::default(), &most, &patterns, &DebugFiles::none()).unwrap();
    assert_eq!(found.incomplete, ["the symbols: 1000001 symbols were not read within the limit of 0 s"]);
}

#[test]
fn refusals_are_listed_up_to_a_limit_and_counted_beyond_it() {
    let symbols = (0..100).map(|i| (format!("f{i}"), i, 0, FUNC)).collect();
    let found = find_one(&Image { symbols, ..Image::default() }, "f*");
    assert_eq!((found.refused.len(), found.refused_more), (64, 36));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_no_panic() {
    let mut image = Image::with(&[("main", 0, 16), ("_ZN3app4stepEi", 16, 16)]);
    image.frames = vec![(0, 100)];
    image.build_id = Some(vec![7; 20]);
    image.debuglink = Some(("x.debug".into(), 1));
    let bytes = image.bytes();
    let patterns = [FunctionPattern::glob("*").unwrap(), FunctionPattern::Offset(0x1010)];
    let look = |bytes: &[u8]| {
        let file = crate::elf::testing::file_of(bytes);
        functions(&file, &Limits::default(), &FunctionLimits::default(), &patterns, &DebugFiles::none())
    };
    for end in (0..bytes.len()).step_by(7) {
        drop(look(&bytes[..end]));
    }
    assert_eq!(look(&bytes).unwrap().matched[0].found.len(), 2);
}
