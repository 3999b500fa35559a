//! The import law: a stage of the agent imports only stages before it.

use super::lists::ORDER;
use super::tokens::{Kind, Source};
use super::{File, Problem};

/// Where the agent's source is.
pub(crate) const AGENT: &str = "sidecar-agent/src/";

/// The modules' names on the way to a file: `["http", "server"]` of `src/http/server.rs`; none for the
/// crate's roots.
pub(crate) fn module_path(path: &str) -> Vec<&str> {
    let Some(inside) = path.strip_prefix(AGENT) else { return Vec::new() };
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut names: Vec<&str> = inside.split('/').collect();
    if names.last().is_some_and(|last| *last == "mod") || matches!(names[..], ["lib" | "main"]) {
        names.pop();
    }
    names
}

/// Imports of later stages, and modules without a place in the order.
pub(crate) fn imports(file: &File, source: &Source<'_>) -> Vec<Problem> {
    let names = module_path(&file.path);
    let Some(own) = names.first() else { return Vec::new() };
    let place = |name: &str| ORDER.iter().position(|stage| *stage == name);
    let Some(own_place) = place(own) else {
        return vec![
            file.problem(0, format!("module `{own}` has no place in ORDER (xtask/src/tidy/lists.rs)")),
        ];
    };
    // A file of tests may be placed by `#[path]`: how far its `super` reaches is not known.
    let depth = if file.is_tests() { usize::MAX / 2 } else { names.len() };
    let mut problems = Vec::new();
    for (line, name) in from_root(source, depth) {
        match place(name) {
            Some(other) if other <= own_place => {}
            Some(_) => problems.push(file.problem(line, format!("`{own}` imports `{name}`, a later stage"))),
            None => problems.push(file.problem(
                line,
                format!("`{own}` imports `{name}` from the crate's root: name the module that it is in"),
            )),
        }
    }
    problems
}

/// Each name that is looked up in the crate's root, by `crate::` or by enough `super::`, with its line.
fn from_root<'a>(source: &Source<'a>, depth: usize) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut braces = Vec::new();
    let mut modules = depth;
    let mut at = 0;
    while let Some(kind) = source.kind(at) {
        match kind {
            Kind::Mark('{') => {
                let module = at >= 2 && source.kind(at - 2) == Some(Kind::Word("mod"));
                braces.push(module);
                modules += usize::from(module);
            }
            Kind::Mark('}') => modules -= usize::from(braces.pop().unwrap_or(false)),
            Kind::Word("crate") if source.kind(at + 1) == Some(Kind::Path) => {
                found.extend(names_at(source, at + 2));
            }
            Kind::Word("super") => {
                let mut up = 0;
                while source.follows(at, &[Kind::Word("super"), Kind::Path]) {
                    up += 1;
                    at += 2;
                }
                if up == modules && up > 0 {
                    found.extend(names_at(source, at));
                }
                if up > 0 {
                    continue;
                }
            }
            Kind::Word(_) | Kind::Path | Kind::Mark(_) | Kind::Literal => {}
        }
        at += 1;
    }
    found
}

/// The first name of a path, or those of a group `{a::b, c}`.
fn names_at<'a>(source: &Source<'a>, at: usize) -> Vec<(usize, &'a str)> {
    let line = source.tokens.get(at).map_or(0, |token| token.line);
    match source.kind(at) {
        Some(Kind::Word(name)) => vec![(line, name)],
        Some(Kind::Mark('*')) => vec![(line, "*")],
        Some(Kind::Mark('{')) => {
            let end = source.closing(at);
            let mut depth = 0_usize;
            let mut names = Vec::new();
            for i in at..end {
                match source.tokens[i].kind {
                    Kind::Mark('{') => depth += 1,
                    Kind::Mark('}') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                let starts = matches!(source.kind(i), Some(Kind::Mark('{' | ',')));
                if starts && depth == 1 {
                    match source.kind(i + 1) {
                        Some(Kind::Word(name)) if name != "self" => {
                            names.push((source.tokens[i + 1].line, name))
                        }
                        Some(Kind::Mark('*')) => names.push((source.tokens[i + 1].line, "*")),
                        _ => {}
                    }
                }
            }
            names
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = File { path: format!("{AGENT}{path}"), text: text.to_owned() };
        imports(&file, &Source::read(text)).iter().map(|problem| problem.what.clone()).collect()
    }

    #[test]
    fn earlier_stages_and_the_own_one_may_be_imported() {
        let text = "use crate::config::Config; use crate::{elf, spec::{self, http}};\n\
                    fn f(_: crate::mapping::Mapping) { crate::spec::compile() }\n\
                    pub(crate) mod inner { use super::http; use super::super::elf::Note; }";
        assert_eq!(found("spec/mod.rs", text), Vec::<String>::new());
        assert_eq!(found("spec.rs", "use super::elf;"), Vec::<String>::new());
        assert_eq!(found("run/mod.rs", "use crate::exec::Exec;"), Vec::<String>::new());
    }

    #[test]
    fn a_later_stage_is_found_however_it_is_named() {
        for text in [
            "use crate::http::Server;",
            "use crate::{config::Config, http};",
            "use crate::{\n    config::{self, elf},\n    http::{Server},\n};",
            "fn f() { crate::http::serve() }",
            "use super::http;",
            "use super::{elf, http};",
            "mod tests { use super::super::http; }",
            "pub(in crate::http) fn f() {}",
        ] {
            assert_eq!(found("spec/mod.rs", text), ["`spec` imports `http`, a later stage"], "{text}");
        }
        assert_eq!(found("spec/tests.rs", "use crate::http;"), ["`spec` imports `http`, a later stage"]);
        assert_eq!(
            found("spec/args.rs", "use super::super::{http};"),
            ["`spec` imports `http`, a later stage"]
        );
    }

    #[test]
    fn text_and_names_that_only_look_like_imports_are_none() {
        let text =
            "// use crate::http;\nlet a = \"crate::http\"; pub(crate) fn http() {} sidecar_common::http();";
        assert_eq!(found("spec/mod.rs", text), Vec::<String>::new());
        assert_eq!(found("spec/args.rs", "use super::http;"), Vec::<String>::new());
        assert_eq!(found("spec/args_tests.rs", "use super::super::http;"), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_in_the_order_is_named() {
        assert!(found("extra/mod.rs", "")[0].contains("`extra` has no place"));
        assert!(
            found("spec/mod.rs", "use crate::Thing;")[0].contains("imports `Thing` from the crate's root")
        );
        assert!(found("spec/mod.rs", "use crate::*;")[0].contains("imports `*`"));
    }

    #[test]
    fn the_crates_roots_put_everything_together() {
        assert_eq!(found("lib.rs", "use crate::run::Run;"), Vec::<String>::new());
        assert_eq!(found("main.rs", "use sidecar_agent::run;"), Vec::<String>::new());
        assert_eq!(module_path("sidecar-agent/src/http/server.rs"), ["http", "server"]);
        assert_eq!(module_path("sidecar-agent/src/http/mod.rs"), ["http"]);
    }
}
