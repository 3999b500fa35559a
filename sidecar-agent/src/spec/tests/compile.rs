//! Specs and status tables made of mappings.

use proptest::prelude::*;
use sidecar_common::*;

use super::parse;
use crate::elf::Arch;
use crate::mapping::{ArgKind, ArgMapping, DurationUnit, EventKind, Mapping, Role, StatusValue};
use crate::spec::{Slots, SpecError, compile, parse_args, status_table};

fn mapped(name: &str, role: Role, kind: ArgKind) -> ArgMapping {
    ArgMapping { name: name.into(), role, kind, signed: None }
}

fn mapping(args: Vec<ArgMapping>) -> Mapping {
    Mapping {
        provider: "p".into(),
        marker: "m".into(),
        event: EventKind::TestEnd,
        event_type: None,
        signal: "test_events".into(),
        args,
        status: Vec::new(),
    }
}

const SLOTS: Slots = Slots { signal: 3, status_table: 2, histogram: 7, generation: 9, max_string: 256 };

#[test]
fn a_test_end_marker_becomes_a_spec_with_its_roles() {
    let args = vec![
        mapped("key", Role::Key, ArgKind::Integer),
        mapped("test_id", Role::TestId, ArgKind::String),
        mapped("status", Role::Status, ArgKind::Integer),
        mapped("duration", Role::Duration(DurationUnit::Microseconds), ArgKind::Integer),
        mapped("secret", Role::Ignore, ArgKind::String),
        mapped("gone", Role::Message, ArgKind::String),
    ];
    let places = parse("8@%rdi 8@%rsi -4@%edx 8@-8(%rbp) 8@%r8", Arch::X86_64);
    let spec = compile(&mapping(args), &places, &SLOTS);
    let plain = ArgSpec { size: 8, len_arg: NO_ARG, ..ArgSpec::default() };
    let expected = [
        ArgSpec { location: LOC_REGISTER, base: 112, ..plain },
        ArgSpec { location: LOC_REGISTER, base: 104, kind: KIND_STRING, ..plain },
        ArgSpec { location: LOC_REGISTER, base: 96, size: 4, flags: FLAG_SIGNED, ..plain },
        ArgSpec { location: LOC_MEMORY, base: 32, value: -8, ..plain },
        ArgSpec { location: LOC_UNREAD, kind: KIND_STRING, ..plain },
    ];
    let mut whole = Spec {
        argc: 5,
        event: EVENT_TEST_END,
        signal: 3,
        key_arg: 0,
        id_arg: 1,
        status_arg: 2,
        status_table: 2,
        duration_arg: 3,
        histogram: 7,
        duration_unit_ns: 1000,
        generation: 9,
        max_string: 256,
        ..Spec::default()
    };
    whole.args[..5].copy_from_slice(&expected);
    assert_eq!(spec, whole);
}

#[test]
fn roles_of_arguments_that_a_site_has_not_or_that_are_unread_stay_empty() {
    let args = || {
        vec![
            mapped("id", Role::TestId, ArgKind::String),
            mapped("status", Role::Status, ArgKind::Integer),
            mapped("duration", Role::Duration(DurationUnit::Seconds), ArgKind::Integer),
        ]
    };
    for text in ["", "8@%xmm0 8f@%rax 8@x(%rip)"] {
        let spec = compile(&mapping(args()), &parse(text, Arch::X86_64), &SLOTS);
        assert_eq!(
            (spec.key_arg, spec.id_arg, spec.status_arg, spec.duration_arg),
            (NO_ARG, NO_ARG, NO_ARG, NO_ARG)
        );
        assert_eq!((spec.histogram, spec.status_table), (NO_HISTOGRAM, 0));
    }
    let spec = compile(&mapping(args()), &parse("8@%rdi 8@%rsi 8@%rdx 8@%rcx", Arch::X86_64), &SLOTS);
    assert_eq!((spec.argc, spec.args[3].kind, spec.args[3].location), (4, KIND_INTEGER, LOC_REGISTER));
}

#[test]
fn a_key_that_is_text_is_hashed_in_place_of_the_test_id() {
    let args =
        vec![mapped("id", Role::TestId, ArgKind::String), mapped("attempt_id", Role::Key, ArgKind::String)];
    let spec = compile(&mapping(args), &parse("8@%rdi 8@%rsi", Arch::X86_64), &SLOTS);
    assert_eq!((spec.key_arg, spec.id_arg), (NO_ARG, 1));
}

#[test]
fn bytes_need_a_length_that_can_be_read() {
    let bytes = |len_arg| mapped("data", Role::Data, ArgKind::Bytes { len_arg });
    let length = |role, kind| mapped("len", role, kind);
    for (data, length, text, location) in [
        (bytes(1), length(Role::Plain, ArgKind::Integer), "8@%rdi 8@%rsi", LOC_REGISTER),
        // Ignoring the length itself means leaving it out of the event, not losing the bytes.
        (bytes(1), length(Role::Ignore, ArgKind::Integer), "8@%rdi 8@%rsi", LOC_REGISTER),
        (bytes(1), length(Role::Plain, ArgKind::Integer), "8@%rdi 8@%xmm0", LOC_UNREAD),
        (bytes(1), length(Role::Plain, ArgKind::String), "8@%rdi 8@%rsi", LOC_UNREAD),
        (bytes(1), length(Role::Plain, ArgKind::Integer), "8@%rdi", LOC_UNREAD),
        (bytes(0), length(Role::Plain, ArgKind::Integer), "8@%rdi 8@%rsi", LOC_UNREAD),
        (bytes(12), length(Role::Plain, ArgKind::Integer), "8@%rdi 8@%rsi", LOC_UNREAD),
        (bytes(255), length(Role::Plain, ArgKind::Integer), "8@%rdi 8@%rsi", LOC_UNREAD),
    ] {
        let spec = compile(&mapping(vec![data.clone(), length.clone()]), &parse(text, Arch::X86_64), &SLOTS);
        assert_eq!(spec.args[0].location, location, "{data:?} {length:?} {text}");
    }
}

#[test]
fn constants_have_their_size_and_the_mapping_can_overrule_the_sign() {
    for (text, signed, value) in [
        ("1@$-1", None, 255),
        ("-1@$-1", None, -1),
        ("-1@$-1", Some(false), 255),
        ("1@$255", Some(true), -1),
        ("8@$-1", None, -1),
        ("4@$4294967297", None, 1),
    ] {
        let arg = ArgMapping { signed, ..mapped("n", Role::Plain, ArgKind::Integer) };
        let spec = compile(&mapping(vec![arg]), &parse(text, Arch::X86_64), &SLOTS);
        assert_eq!((spec.args[0].location, spec.args[0].value), (LOC_CONSTANT, value), "{text} {signed:?}");
    }
}

#[test]
fn the_string_limit_stays_within_the_abi() {
    let limit = |max_string| compile(&mapping(vec![]), &[], &Slots { max_string, ..SLOTS }).max_string;
    assert_eq!((limit(0), limit(64), limit(u32::MAX)), (1, 64, MAX_STRING));
}

#[test]
fn status_values_become_rows() {
    assert_eq!(status_table(&[]), Ok(StatusTable::default()));
    let word = |word: &str| StatusValue::Word(word.into());
    let table =
        status_table(&[(word("pass"), Status::Passed), (StatusValue::Number(-1), Status::Failed)]).unwrap();
    let row = |value, status: Status| StatusEntry { value, status: status as u8, used: 1, reserved: [0; 6] };
    assert_eq!(table.rows[0], row(fnv1a(b"pass"), Status::Passed));
    assert_eq!(table.rows[1], row(u64::MAX, Status::Failed));
    assert_eq!(table.rows[2].used, 0);

    let rows = |count: usize| -> Vec<_> {
        (0..count).map(|i| (StatusValue::Number(i as i64), Status::Passed)).collect()
    };
    assert!(status_table(&rows(STATUS_ROWS)).is_ok());
    assert_eq!(status_table(&rows(STATUS_ROWS + 1)), Err(SpecError::TooManyValues(17)));
    let long = "x".repeat(STATUS_WORD_LEN + 1);
    assert_eq!(status_table(&[(word(&long), Status::Passed)]), Err(SpecError::LongWord(long)));
    assert!(status_table(&[(word(&"x".repeat(STATUS_WORD_LEN)), Status::Passed)]).is_ok());
    let twice = [(StatusValue::Number(1), Status::Passed), (StatusValue::Number(1), Status::Failed)];
    assert_eq!(status_table(&twice), Err(SpecError::Ambiguous("1".into())));
}

proptest! {
    #[test]
    fn texts_of_the_right_letters_never_panic(
        text in r"([-0-9f]{0,3}@?[-+$%\[(]?[a-z0-9%,+ #@:]{0,12}[\])]? ?){0,16}",
        arm: bool,
        site: u64,
        symbol: u64,
    ) {
        let arch = if arm { Arch::Aarch64 } else { Arch::X86_64 };
        let symbols = |_: &str| Some(symbol);
        let places = parse_args(&text, arch, site, Some(&symbols));
        prop_assert!(places.len() <= MAX_ARGS);
        let args = vec![mapped("a", Role::Key, ArgKind::Integer), mapped("b", Role::Data, ArgKind::Bytes { len_arg: 0 })];
        let spec = compile(&mapping(args), &places, &SLOTS);
        prop_assert_eq!(usize::from(spec.argc), places.len());
        prop_assert!(spec.args.iter().all(|arg| arg.scale <= 3 && arg.base <= 256 && arg.index <= 256));
    }
}
