//! Names that no compiler writes: none may panic, take long, or grow without end.

use proptest::prelude::*;

use super::demangle::demangled;

const MOST: usize = 8 << 10;

#[test]
fn names_of_rust_and_cpp_are_written_as_in_the_source_and_others_stay() {
    for (name, expected) in [
        ("main", "main"),
        ("_init", "_init"),
        ("_ZN3app4stepEi", "app::step(int)"),
        ("_ZN3app4stepEi.part.0", "app::step(int) [clone .part.0]"),
        (
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
        ),
        ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
        ("_RNvC6_123foo3bar", "123foo::bar"),
        ("_Z", "_Z"),
        ("_ZN", "_ZN"),
        ("_R", "_R"),
    ] {
        assert_eq!(demangled(name, MOST), expected);
    }
}

#[test]
fn a_name_that_grows_beyond_the_limit_stays_as_it_is() {
    // Each pair names the pair before twice: forty of them would come to a terabyte.
    let mut pairs = "_Z1fSt4pairIiiE".to_owned();
    for i in 0..40 {
        let before = if i == 0 { "S0_".to_owned() } else { format!("S{}_", base36(i)) };
        pairs.push_str(&format!("St4pairI{before}{before}E"));
    }
    assert!(demangled(&pairs, MOST).len() <= MOST.max(pairs.len()));
    let long = format!("_ZN{}E", "3abc".repeat(2_000));
    assert_eq!(demangled(&long, 4_000), long);
}

fn base36(number: usize) -> String {
    let digit = |digit: usize| char::from_digit(digit as u32, 36).unwrap().to_ascii_uppercase();
    if number < 36 {
        digit(number).to_string()
    } else {
        [digit(number / 36), digit(number % 36)].iter().collect()
    }
}

#[test]
fn names_nested_as_deep_as_they_are_long_end_quickly() {
    for piece in [
        "P", "N", "I", "J", "L", "X", "Dp", "K", "F", "St4pairI", "1aI", "IJ", "LZ", "T_", "S_", "fp", "cv",
        "M", "dt",
    ] {
        let name = format!("_Z1f{}", piece.repeat(4_000 / piece.len()));
        assert!(demangled(&name, MOST).len() <= MOST);
        let name = format!("_ZN1a{}E", piece.repeat(4_000 / piece.len()));
        assert!(demangled(&name, MOST).len() <= MOST);
        let name = format!("_RNvC1a{}", piece.repeat(4_000 / piece.len()));
        assert!(demangled(&name, MOST).len() <= MOST);
    }
    // Packs that hold the pack before twice, and nothing at all in the end.
    let mut packs = "_Z1fI".to_owned();
    packs.push_str("JE");
    for i in 0..60 {
        packs.push_str(&if i == 0 { "JT_T_E".to_owned() } else { format!("JT{0}_T{0}_E", base36(i - 1)) });
    }
    packs.push_str("Evv");
    assert!(demangled(&packs, MOST).len() <= MOST);
}

proptest! {
    #[test]
    fn no_name_panics(name in "_(Z|R|ZN)[A-Za-z0-9_]{0,80}") {
        prop_assert!(demangled(&name, MOST).len() <= MOST);
    }

    #[test]
    fn no_name_of_likely_pieces_panics(
        pieces in proptest::collection::vec(
            prop::sample::select(vec!["_Z", "N", "E", "I", "J", "S_", "S0_", "T_", "St", "1a", "3foo", "i", "v", "P", "L", "X", "Dp",
                "sr", "cl", "Ul", "Ut", "C1", "D0", "R", "K", "F", "A", "B", "M", "Lj1E", "fp_", "cv", "dt", "nw", "gs", "tl", "B0_", "Cs_", "h"]),
            0..60)
    ) {
        let name = format!("_Z{}", pieces.concat());
        prop_assert!(demangled(&name, MOST).len() <= MOST);
        let name = format!("_R{}", pieces.concat());
        prop_assert!(demangled(&name, MOST).len() <= MOST);
    }
}
