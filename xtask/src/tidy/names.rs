//! Names that belong into one place: aya and system calls, the HTTP library, clocks, task spawning.

use super::lists::{IMPURE, KERNEL_MODULE, KERNEL_NAMES, PURE, SPAWN};
use super::tokens::{Kind, Source};
use super::{File, Problem, law};

/// Rules for the agent's files.
pub(crate) fn agent(file: &File, source: &Source<'_>) -> Vec<Problem> {
    let names = law::module_path(&file.path);
    let module = names.first().copied().unwrap_or("");
    let may_spawn = file.is_tests() || SPAWN.iter().any(|(path, _)| *path == file.path);
    let in_tests = source.in_tests();
    let mut problems = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let Kind::Word(word) = token.kind else { continue };
        if KERNEL_NAMES.contains(&word) && module != KERNEL_MODULE {
            let what = format!(
                "`{word}` outside of `{KERNEL_MODULE}`, the one module that talks to the kernel's BPF"
            );
            problems.push(file.problem(token.line, what));
        }
        if IMPURE.contains(&word) && PURE.contains(&module) {
            let what = format!("`{word}` in `{module}`, which is pure: pass in what it needs");
            problems.push(file.problem(token.line, what));
        }
        if !may_spawn && !in_tests[at] && spawns(source, at, word) {
            let what = format!(
                "`{word}` outside of the files that own tasks and threads (SPAWN, xtask/src/tidy/lists.rs)"
            );
            problems.push(file.problem(token.line, what));
        }
    }
    problems
}

/// Whether the word at a position starts a task or a thread. A child process's `.spawn()` has no argument; a function of
/// our own that is called so (`http::spawn(..)`) is judged by its body, where that stands.
fn spawns(source: &Source<'_>, at: usize, word: &str) -> bool {
    match word {
        "spawn_blocking" | "spawn_local" | "spawn_on" | "spawn_scoped" => true,
        "spawn" => {
            let called = source.follows(at + 1, &[Kind::Mark('(')]);
            let with_argument = called && source.kind(at + 2) != Some(Kind::Mark(')'));
            match at.checked_sub(1).and_then(|before| source.kind(before)) {
                Some(Kind::Word("fn")) => false,
                Some(Kind::Path) => {
                    let of = at.checked_sub(2).and_then(|before| source.kind(before));
                    // Named without a call too, for instance as an argument or in a `use`.
                    matches!(of, Some(Kind::Word("tokio" | "task" | "thread")))
                }
                _ => with_argument,
            }
        }
        _ => false,
    }
}

/// Files that are listed as starting tasks or threads, and start none (any more).
pub(crate) fn unused_excuses(files: &[File], excused: &[(&str, &str)]) -> Vec<Problem> {
    let starts = |path: &str| {
        files.iter().find(|file| file.path == path).is_some_and(|file| {
            let source = Source::read(&file.text);
            let mut tokens = source.tokens.iter().enumerate();
            tokens.any(|(at, token)| matches!(token.kind, Kind::Word(word) if spawns(&source, at, word)))
        })
    };
    let unused = excused.iter().filter(|(path, _)| !starts(path));
    unused
        .map(|(path, _)| Problem {
            file: (*path).to_owned(),
            line: 0,
            what: "listed in SPAWN (xtask/src/tidy/lists.rs), and starts neither tasks nor threads"
                .to_owned(),
        })
        .collect()
}

/// The HTTP library is named in one file of `http`.
pub(crate) fn one_http_file(agent: &[(&File, Source<'_>)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut first: Option<&str> = None;
    for (file, source) in agent {
        let Some(token) = source.tokens.iter().find(|token| token.kind == Kind::Word("axum")) else {
            continue;
        };
        if law::module_path(&file.path).first() != Some(&"http") {
            problems.push(file.problem(token.line, "`axum` outside of `http`"));
        } else if let Some(other) = first {
            problems.push(file.problem(token.line, format!("`axum` in a second file; the first is {other}")));
        } else {
            first = Some(&file.path);
        }
    }
    problems
}

/// The ABI's crate imports `core` only.
pub(crate) fn common(file: &File, source: &Source<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let root =
            source.kind(at + 1) == Some(Kind::Path) && (at == 0 || source.kind(at - 1) != Some(Kind::Path));
        if root && let Kind::Word(word @ ("std" | "alloc")) = token.kind {
            problems.push(
                file.problem(token.line, format!("`{word}` in the ABI's crate, which imports `core` only")),
            );
        }
    }
    problems
}

/// The ABI's crate depends on nothing but, for the agent's sake, aya as an option.
pub(crate) fn common_dependencies(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut section = "";
    for (i, line) in file.text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section.ends_with("dependencies") && !line.is_empty() && !line.starts_with('#') {
            let option = line.starts_with("aya ") && line.contains("optional = true");
            if !option && section != "dev-dependencies" {
                problems.push(file.problem(i + 1, format!("the ABI's crate depends on nothing: `{line}`")));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: format!("{}{path}", law::AGENT), text: text.to_owned() }
    }

    fn found(path: &str, text: &str) -> usize {
        agent(&file(path, text), &Source::read(text)).len()
    }

    #[test]
    fn aya_and_system_calls_are_for_bpf_alone() {
        for text in [
            "use aya::Ebpf;",
            "fn f(_: aya_obj::Object) {}",
            "libc::syscall(1);",
            "use libc::{c_int, syscall};",
        ] {
            assert_eq!(found("bpf/load.rs", text), 0, "{text}");
            assert_eq!(found("attach/mod.rs", text), 1, "{text}");
        }
        assert_eq!(found("attach/mod.rs", "// aya\nlet a = \"aya\"; let ayah = libc::getpid();"), 0);
    }

    #[test]
    fn pure_modules_name_no_clock_and_no_runtime() {
        for text in [
            "use std::time::Instant;",
            "SystemTime::now();",
            "tokio::time::sleep(d);",
            "use procfs::Meminfo;",
        ] {
            assert_eq!(found("aggregate/mod.rs", text), 1, "{text}");
            assert_eq!(found("sinks/mod.rs", text), 0, "{text}");
        }
        assert_eq!(found("spec/mod.rs", "use std::time::Duration;"), 0);
    }

    #[test]
    fn tasks_and_threads_are_started_in_the_listed_files() {
        for text in [
            "tokio::spawn(f());",
            "tokio::task::spawn_blocking(f);",
            "std::thread::spawn(|| 1);",
            "Builder::new().spawn_scoped(scope, f);",
            "set.spawn(async {});",
            "use tokio::spawn;",
            "Builder::new().spawn(f);",
        ] {
            assert_eq!(found("sinks/mod.rs", text), 1, "{text}");
            assert_eq!(found("sinks/thread.rs", text), 0, "{text}");
            assert_eq!(found("sinks/file_tests.rs", text), 0, "{text}");
        }
        for text in [
            "Command::new(x).spawn()?;",
            "http::spawn(listener, state)?;",
            "pub fn spawn(argv: &[OsString]) -> Child {}",
            "use super::http::spawn;",
            "#[cfg(test)] mod tests { fn f() { thread::spawn(g); } }",
        ] {
            assert_eq!(found("sinks/mod.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn an_excuse_that_nothing_needs_is_a_problem() {
        let files = [file("a/mod.rs", "thread::spawn(f);"), file("b/mod.rs", "a::spawn(f);")];
        let excused = ["a/mod.rs", "b/mod.rs", "c/mod.rs"].map(|path| format!("{}{path}", law::AGENT));
        let excused: Vec<_> = excused.iter().map(|path| (path.as_str(), "a reason")).collect();
        let unused: Vec<_> =
            unused_excuses(&files, &excused).into_iter().map(|problem| problem.file).collect();
        assert_eq!(unused, [excused[1].0, excused[2].0]);
    }

    #[test]
    fn a_second_http_file_is_one_too_many() {
        let files = [
            file("http/a.rs", "use axum::Router;"),
            file("http/b.rs", "axum::serve()"),
            file("exec/mod.rs", "axum::x"),
        ];
        let of = |count: usize| -> Vec<Problem> {
            let agent: Vec<_> = files[..count].iter().map(|file| (file, Source::read(&file.text))).collect();
            one_http_file(&agent)
        };
        assert_eq!((of(1).len(), of(2).len(), of(3).len()), (0, 1, 2));
    }

    #[test]
    fn the_abi_depends_on_core_alone() {
        let text = "use core::fmt; use crate::std::x; fn f() -> aya::Pod {} #![no_std]";
        assert_eq!(common(&file("x.rs", text), &Source::read(text)), []);
        let text = "use std::fmt; fn f(_: alloc::Vec<u8>) {}";
        assert_eq!(common(&file("x.rs", text), &Source::read(text)).len(), 2);

        let good = "[features]\nuser = [\"dep:aya\"]\n[dependencies]\naya = { workspace = true, optional = true }\n[lints]\n";
        assert_eq!(common_dependencies(&file("Cargo.toml", good)), []);
        let bad = "[dependencies]\naya = \"1\"\nserde = \"1\"\n[target.x.dependencies]\nlibc = \"1\"\n";
        assert_eq!(common_dependencies(&file("Cargo.toml", bad)).len(), 3);
    }
}
