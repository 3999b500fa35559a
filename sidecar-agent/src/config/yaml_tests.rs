//! Tests of the tree that knows its lines.

use super::*;

fn all(text: &str) -> Node {
    parse(text, Want::All).unwrap()
}

/// `key@line=value` of a tree, for comparison.
fn outline(node: &Node) -> String {
    match &node.tree {
        Tree::Scalar(scalar) => format!("{scalar:?}@{}", node.line),
        Tree::List(list) => format!("[{}]", list.iter().map(outline).collect::<Vec<_>>().join(" ")),
        Tree::Map(entries) => {
            let entry = |entry: &Entry| format!("{}@{}={}", entry.key, entry.line, outline(&entry.node));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(" "))
        }
        Tree::Skipped => "...".to_owned(),
    }
}

#[test]
fn every_scalar_has_its_type_and_line() {
    let text = "a: 1\nb:\n  - -2\n  - 0.5\n  - x\n\n  - {c: true, d: ~}\n\"e\": |\n  text\nf: \"5\"\n";
    assert_eq!(
        outline(&all(text)),
        "{a@1=Integer(1)@1 b@2=[Integer(-2)@3 Float(0.5)@4 Text(\"x\")@5 {c@7=Bool(true)@7 d@7=Null@7}] \
         e@8=Text(\"text\\n\")@8 f@10=Text(\"5\")@10}"
    );
}

#[test]
fn empty_collections_have_the_line_of_their_key() {
    let node = all("a: 1\nb: {}\nc: []\n");
    let Tree::Map(entries) = node.tree else { panic!("no map") };
    assert_eq!(entries.iter().map(|entry| entry.node.line).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn keys_that_look_like_error_text_do_not_confuse_the_lines() {
    let text = "\"here at line 9 column 9\":\n  \"x: here\": here at line 7 column 1\n";
    let Tree::Map(entries) = all(text).tree else { panic!("no map") };
    assert_eq!((entries[0].line, entries[0].node.line), (1, 2));
}

#[test]
fn other_scalars_are_keys_too_but_collections_are_not() {
    assert_eq!(outline(&all("0: a\ntrue: b\n")), "{0@1=Text(\"a\")@1 true@2=Text(\"b\")@2}");
    let error = parse("x: 1\n? [a]\n: 1\n", Want::All).unwrap_err();
    assert_eq!(error.at.line, 2);
    assert!(error.what.contains("expected a plain key"), "{}", error.what);
}

#[test]
fn an_empty_document_is_null() {
    for text in ["", "\n\n", "# nothing\n", "\u{feff}", "---\n"] {
        assert_eq!(all(text).tree, Tree::Scalar(Scalar::Null), "{text:?}");
    }
}

#[test]
fn errors_have_line_and_column() {
    for (text, line) in
        [("a: [1\nb: 2\n", 2), ("a: 'x\n", 2), ("a:\n\t- b\n", 2), ("a: *none\n", 1), ("a: 1\nb: !x 1\n", 2)]
    {
        let error = parse(text, Want::All).unwrap_err();
        assert_eq!(error.at.line, line, "{text:?}: {}", error.what);
        assert!(error.at.column > 0, "{text:?}");
    }
    let error = parse("a: 1\n---\nb: 2\n", Want::All).unwrap_err();
    assert!(error.what.contains("more than one document"), "{}", error.what);
}

#[test]
fn the_wanted_part_alone_is_read() {
    let text = "x: {y: [1, !odd 2]}\nruntime:\n  other: {z: 1}\n  sidecar: {enabled: true}\n";
    let outlined = parse(text, Want::Outline("runtime")).unwrap();
    assert_eq!(outline(&outlined), "{x@1=... runtime@2={other@3=... sidecar@4=...}}");
    let part = parse(text, Want::Path(&["runtime", "sidecar"])).unwrap();
    assert_eq!(outline(&part), "{x@1=... runtime@2={other@3=... sidecar@4={enabled@4=Bool(true)@4}}}");
}

#[test]
fn aliases_are_expanded() {
    let text = "base: &b {k: 1}\nsidecar:\n  one: *b\n  two: *b\n";
    let part = parse(text, Want::Path(&["sidecar"])).unwrap();
    assert_eq!(outline(&part), "{base@1=... sidecar@2={one@3={k@1=Integer(1)@1} two@4={k@1=Integer(1)@1}}}");
}

/// Ten levels of nine aliases each: 10^9 values if they were all expanded.
fn bomb() -> String {
    let mut text = "l0: &l0 x\n".to_owned();
    for level in 1..=9 {
        let aliases = vec![format!("*l{}", level - 1); 10].join(", ");
        text.push_str(&format!("l{level}: &l{level} [{aliases}]\n"));
    }
    text
}

#[test]
fn nested_aliases_end_in_an_error_and_outside_the_section_in_nothing() {
    assert_eq!(parse(&bomb(), Want::All).unwrap_err().what, "its aliases stand for too many values");
    let text = format!("{}sidecar: {{enabled: true}}\n", bomb());
    assert!(parse(&text, Want::Path(&["sidecar"])).is_ok());
    let text = format!("{}sidecar: {{enabled: *l9}}\n", bomb());
    assert!(parse(&text, Want::Path(&["sidecar"])).is_err());
}

#[test]
fn many_aliases_of_one_large_list_end_in_an_error() {
    let list = vec!["1"; 10_000].join(", ");
    let aliases = vec!["*a"; 10_000].join(", ");
    let error = parse(&format!("a: &a [{list}]\nb: [{aliases}]\n"), Want::All).unwrap_err();
    assert!(error.what.contains("aliases expanded"), "{}", error.what);
}

#[test]
fn deep_nesting_is_an_error() {
    assert!(parse(&"[".repeat(10_000), Want::All).is_err());
    assert!(parse(&format!("{}{}", "[".repeat(200), "]".repeat(200)), Want::All).is_err());
}
