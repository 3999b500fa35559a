//! `cargo xtask tidy`: the architecture's rules, kept by a program. Also an ordinary test of this crate.
//!
//! Each rule is a function from a file's path and text to problems, so that its tests need no files. What
//! is excused stands in [`lists`], with the reason.

mod architecture;
mod law;
mod links;
mod lists;
mod names;
mod rust;
mod text;
mod tokens;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::process;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// The file, seen from the repository's root.
    pub(crate) file: String,
    /// The line, from 1; 0 means the whole file.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// A file of the repository that is text.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path, seen from the repository's root.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

impl File {
    /// A problem of this file.
    pub(crate) fn problem(&self, line: usize, what: impl Into<String>) -> Problem {
        Problem { file: self.path.clone(), line, what: what.into() }
    }

    /// Whether it holds nothing but tests of the file or folder beside it.
    pub(crate) fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs") || self.path.contains("/tests/")
    }

    /// Whether its name ends so.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }
}

/// Runs the verb.
pub(crate) fn run() -> Result<ExitCode> {
    check()?;
    println!("tidy: no problems");
    Ok(ExitCode::SUCCESS)
}

/// Checks the whole tree; the error lists every problem.
pub(crate) fn check() -> Result<()> {
    let root = process::root();
    let files = files(&root)?;
    let mut problems = problems(&files);
    problems.extend(architecture::modules(&files));
    problems.extend(names::unused_excuses(&files, lists::SPAWN));
    problems.extend(links::dead(&files, |target| root.join(target).exists()));
    problems.sort();
    if problems.is_empty() {
        return Ok(());
    }
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        1 => bail!("1 problem with the architecture's rules"),
        many => bail!("{many} problems with the architecture's rules"),
    }
}

/// Every text file that git knows or would know.
fn files(root: &Path) -> Result<Vec<File>> {
    let mut list = process::command(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = process::output(&mut list)?;
    let mut files = Vec::new();
    for path in names.split('\0').filter(|path| !path.is_empty()) {
        // A file that is deleted and not yet committed, or that is not text, has nothing to check.
        if let Ok(text) = std::fs::read_to_string(root.join(path)) {
            files.push(File { path: path.to_owned(), text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

/// All problems but those of links.
fn problems(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut agent = Vec::new();
    for file in files {
        problems.extend(text::leftovers(file));
        problems.extend(text::length(file));
        if file.is("rs") {
            let source = tokens::Source::read(&file.text);
            problems.extend(rust::rules(file, &source));
            if file.path.starts_with(law::AGENT) {
                problems.extend(law::imports(file, &source));
                problems.extend(names::agent(file, &source));
                agent.push((file, source));
            } else if file.path.starts_with("sidecar-common/src/") {
                problems.extend(names::common(file, &source));
            }
        } else if file.path == "sidecar-common/Cargo.toml" {
            problems.extend(names::common_dependencies(file));
        }
    }
    problems.extend(names::one_http_file(&agent));
    problems.extend(text::stale_excuses(files));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        check().unwrap();
    }

    #[test]
    fn the_tree_is_read() {
        let files = files(&process::root()).unwrap();
        for path in ["Cargo.toml", "xtask/src/tidy/mod.rs", "sidecar-common/src/lib.rs", "README.md"] {
            assert!(files.iter().any(|file| file.path == path), "{path}");
        }
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }

    #[test]
    fn problems_of_every_kind_are_found_in_one_pass() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let found = problems(&[
            file("sidecar-agent/src/spec/mod.rs", "//! Doc.\nuse crate::http::Server;\nuse tokio::time;\n"),
            file("sidecar-agent/src/http/a.rs", "//! Doc.\nuse axum::Router;\n"),
            file("sidecar-agent/src/http/b.rs", "//! Doc.\nuse axum::Json;\n"),
            file("sidecar-common/src/lib.rs", "//! Doc.\nuse std::fmt;\n"),
            file("sidecar-common/Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
            file("demo/src/lib.rs", "fn main() {}\n"),
        ]);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 6, "{found:#?}");
    }
}
