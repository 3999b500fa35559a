//! Tests of the key `functions`.

use super::*;
use crate::config::{Config, FileText, Sources, load};

fn loaded(functions: &str) -> Result<Config, String> {
    let file = FileText { name: "s.yml".to_owned(), text: format!("functions:\n{functions}") };
    load(&Sources { file: Some(&file), ..Sources::default() }).map_err(|error| error.to_string())
}

fn refused(entry: &str) -> String {
    loaded(&format!("- {{{entry}}}\n")).unwrap_err()
}

#[test]
fn an_entry_is_read_as_it_stands() {
    let text = "\
- library: libdb.so
  symbol: query
  on: entry_and_return
  event_type: query
  args: [ignore, {at: '*(arg1 + 8)', type: string}]
  result: status:i32
  status: {0: passed}
  never_unwinds: yes
- {file: '/opt/**', offset: 0x1139}
";
    let config = loaded(text).unwrap();
    let [query, by_offset] = &config.functions[..] else { panic!("{:?}", config.functions) };
    assert_eq!(query.place, FunctionPlace::Library("libdb.so".to_owned()));
    assert_eq!(query.args[1].at.as_deref(), Some("*(arg1 + 8)"));
    assert_eq!(query.result.as_ref().and_then(|arg| arg.kind.as_deref()), Some("i32"));
    assert!(query.never_unwinds && !by_offset.never_unwinds);
    assert_eq!(by_offset.which, FunctionName::Offset(0x1139));
    assert_eq!(by_offset.at.to_string(), "s.yml:10");
    assert_eq!(by_offset.shown(), "/opt/**:+0x1139");
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (entry, said) in [
        ("file: /x", "s.yml:2: functions[0]: wants exactly one of symbol, glob, regex, offset"),
        ("symbol: x", "s.yml:2: functions[0]: wants exactly one of file, library"),
        ("file: /x, library: y, symbol: x", "exactly one of file, library"),
        ("file: /x, symbol: x, regex: y", "exactly one of symbol, glob, regex, offset"),
        ("file: x, symbol: x", "functions[0].file: `x` is not absolute"),
        ("library: a/b, symbol: x", "functions[0].library: `a/b` is neither"),
        ("file: /x, offset: 0", "functions[0].offset"),
        ("file: /x, offset: -1", "functions[0].offset"),
        ("file: /x, symbl: x", "functions[0].symbl: unknown key; did you mean `symbol`?"),
        (
            "file: /x, symbol: x, args: [{rol: key}]",
            "functions[0].args[0].rol: unknown key; did you mean `role`?",
        ),
        ("file: /x, symbol: x, signal: nosuch", "functions[0].signal"),
        ("file: /x, symbol: x, never_unwinds: perhaps", "functions[0].never_unwinds"),
        ("file: /x, symbol: [x]", "functions[0].symbol"),
    ] {
        let found = refused(entry);
        assert!(found.contains(said), "{entry}: {found}");
    }
    assert!(loaded("  a: b\n").unwrap_err().contains("functions"), "a list is wanted");
}
