//! Tests of the functions that users write.

use super::*;
use crate::config::{FileText, Sources, load};

fn mapped(entry: &str) -> Result<FunctionMapping, String> {
    let text = format!("functions:\n- {{file: /x, symbol: f, {entry}}}\n");
    let file = FileText { name: "s.yml".to_owned(), text };
    let config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
    functions(&config.functions).map(|mut found| found.remove(0)).map_err(|error| error.to_string())
}

#[test]
fn arguments_are_where_the_convention_or_the_entry_says() {
    let found =
        mapped("args: [test_id, {type: i32}, {type: u8, at: arg5}, {at: '*(arg1 + 8)', type: string}]")
            .unwrap();
    let place = |position, offsets: &[i32], size, signed| ArgAt {
        base: Base::Argument(position),
        steps: offsets
            .iter()
            .map(|&offset| super::super::place::Step { offset, absent: super::super::Absent::Never })
            .collect(),
        size,
        signed,
    };
    assert_eq!(
        found.entry.places,
        [place(0, &[], 8, false), place(1, &[], 4, true), place(5, &[], 1, false), place(1, &[8], 8, false)]
    );
    let mapping = &found.entry.mapping;
    assert_eq!(mapping.args[0].kind, ArgKind::String);
    assert_eq!((mapping.args[1].signed, mapping.args[2].signed), (Some(true), Some(false)));
    assert_eq!((mapping.event_type.as_deref(), mapping.signal.as_str()), (Some("function_entry"), "events"));
    assert_eq!(found.on_return, None);
}

#[test]
fn a_return_has_its_duration_and_its_result() {
    let found = mapped(
        "on: entry_and_return, event_type: query, result: {role: status, type: i32}, status: {0: passed}, args: [ignore]",
    )
    .unwrap();
    assert_eq!(found.entry.mapping.status, []);
    let Moment { mapping, places } = found.on_return.unwrap();
    assert_eq!(mapping.event_type.as_deref(), Some("query_return"));
    assert_eq!(mapping.status.len(), 1);
    assert_eq!((places[0].base, places[0].size), (Base::Result, 4));
    assert_eq!(places[1].base, Base::Elapsed);
    assert_eq!(mapping.duration_arg(), Some((1, DurationUnit::Nanoseconds)));
    let bare = mapped("on: entry_and_return").unwrap().on_return.unwrap();
    assert_eq!(bare.mapping.event_type.as_deref(), Some("function_return"));
    assert_eq!(bare.places.len(), 1);
}

#[test]
fn what_is_wrong_is_named_with_its_key() {
    for (entry, said) in [
        ("on: exit", "functions[0].on: unknown word `exit`; did you mean `entry`?"),
        ("result: plain", "functions[0].result: has no effect here: it goes with `on: entry_and_return`"),
        ("never_unwinds: true", "functions[0].never_unwinds: has no effect here"),
        ("args: [{type: i33}]", "functions[0].args[0].type: unknown word `i33`; did you mean `i32`?"),
        ("args: [{type: integer}]", "functions[0].args[0].type: unknown word `integer`"),
        ("args: [{at: 'arg1 + 8'}]", "functions[0].args[0].at: `arg1 + 8` is no place"),
        ("args: [{at: result}]", "functions[0].args[0].at: `result` is no place"),
        ("on: entry_and_return, result: {at: arg0}", "functions[0].result.at: `arg0` is no place"),
        ("on: entry_and_return, result: duration", "functions[0].result: "),
        ("on: entry_and_return, result: {role: statu}", "functions[0].result.role: unknown word `statu`"),
        ("on: entry_and_return, event: test_start, args: [test_id]", "functions[0].on: "),
        ("event: test_start", "functions[0].args: wants an argument of the role test_id"),
        ("status: {0: passed}", "functions[0].status: has no effect here"),
        (
            "args: [plain, plain, plain, plain, plain, plain, plain, plain, plain, plain, plain, plain, plain]",
            "has 13 arguments",
        ),
    ] {
        let found = mapped(entry).unwrap_err();
        assert!(found.starts_with("s.yml:2: ") && found.contains(said), "{entry}: {found}");
    }
}
