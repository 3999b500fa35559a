//! Rules for every text file: no leftovers, no traces of one machine, not too long.

use super::lists::{LEFTOVERS_WELCOME, LONG, MOST_LINES};
use super::{File, Problem};

/// Words that mean "not finished". In pieces, so that this file passes its own rule.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Folders that only one machine has; in pieces, as above.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];

/// Hosts of package registries and their mirrors: which one is used is each machine's affair.
const HOSTS: [&str; 9] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("proxy.", "golang.org"),
    concat!("deb.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("arti", "factory"),
];

/// Files that cargo writes.
const LOCK: &str = "Cargo.lock";

/// Kinds of files that [`MOST_LINES`] is about.
const SOURCES: [&str; 6] = ["rs", "py", "sh", "c", "h", "js"];

/// Unfinished work, machine paths and registry hosts.
pub(crate) fn leftovers(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lock = file.path.rsplit('/').next() == Some(LOCK);
    for (i, line) in file.text.lines().enumerate() {
        if file.path != LEFTOVERS_WELCOME {
            for word in UNFINISHED {
                if has_word(line, word) {
                    problems.push(
                        file.problem(i + 1, format!("`{word}`: do it, or write it into {LEFTOVERS_WELCOME}")),
                    );
                }
            }
        }
        for path in MACHINE_PATHS {
            if starts_path(line, path) {
                problems.push(file.problem(i + 1, format!("`{path}` exists on one machine only")));
            }
        }
        if !lock {
            for host in HOSTS {
                if line.contains(host) {
                    problems.push(
                        file.problem(
                            i + 1,
                            format!("`{host}`: which registry is used is the machine's affair"),
                        ),
                    );
                }
            }
        }
    }
    problems
}

/// Whether a word stands alone in a line.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c == '_' || c.is_alphanumeric();
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Whether an absolute path in a line begins so.
fn starts_path(line: &str, path: &str) -> bool {
    let part = |c: char| c == '_' || c == '.' || c.is_ascii_alphanumeric();
    line.match_indices(path).any(|(at, _)| !line[..at].chars().next_back().is_some_and(part))
}

/// Source files that are too long.
pub(crate) fn length(file: &File) -> Option<Problem> {
    let excused = LONG.iter().any(|(path, _)| *path == file.path);
    let lines = file.text.lines().count();
    let long = SOURCES.iter().any(|kind| file.is(kind)) && lines > MOST_LINES;
    (long && !excused).then(|| {
        file.problem(0, format!("{lines} lines, {MOST_LINES} at most: split it, or give the reason in LONG (xtask/src/tidy/lists.rs)"))
    })
}

/// Excuses that nothing needs any more.
pub(crate) fn stale_excuses(files: &[File]) -> Vec<Problem> {
    let needed =
        |path: &str| files.iter().any(|file| file.path == path && file.text.lines().count() > MOST_LINES);
    LONG.iter()
        .filter(|(path, _)| !needed(path))
        .map(|(path, _)| Problem {
            file: (*path).to_owned(),
            line: 0,
            what: format!("excused in LONG, and has not more than {MOST_LINES} lines: remove the excuse"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn unfinished_work_is_found_outside_of_the_roadmap() {
        let text = format!("// {}: later\n", UNFINISHED[0]);
        assert_eq!(leftovers(&file("a.rs", &text)).len(), 1);
        assert_eq!(leftovers(&file("docs/a.md", &text)).len(), 1);
        assert_eq!(leftovers(&file("docs/roadmap.md", &text)), []);
        let text = format!("{}S my{} {}_LIST mastodon", UNFINISHED[0], UNFINISHED[1], UNFINISHED[0]);
        assert_eq!(leftovers(&file("a.rs", &text)), []);
    }

    #[test]
    fn absolute_paths_of_one_machine_are_found_and_relative_ones_are_not() {
        for path in MACHINE_PATHS {
            assert_eq!(leftovers(&file("a.md", &format!("see \"{path}x\""))).len(), 1, "{path}");
            assert_eq!(leftovers(&file("Cargo.lock", &format!("{path}x"))).len(), 1, "{path}");
            assert_eq!(leftovers(&file("a.md", &format!("a{path}x ..{path}"))), [], "{path}");
        }
    }

    #[test]
    fn registry_hosts_are_found_but_in_cargos_own_file() {
        for host in HOSTS {
            assert_eq!(leftovers(&file("a.toml", &format!("url = \"https://{host}/\""))).len(), 1, "{host}");
            assert_eq!(leftovers(&file("x/Cargo.lock", host)), []);
        }
        assert_eq!(leftovers(&file("a.md", "published on crates.io; see docs.rs")), []);
    }

    #[test]
    fn only_sources_have_a_length() {
        let long = "a\n".repeat(MOST_LINES + 1);
        assert!(length(&file("a.rs", &long)).is_some());
        assert!(length(&file("a.rs", &"a\n".repeat(MOST_LINES))).is_none());
        assert!(length(&file("Cargo.lock", &long)).is_none());
    }

    #[test]
    fn every_excuse_is_in_use() {
        let needed: Vec<File> =
            LONG.iter().map(|(path, _)| file(path, &"a\n".repeat(MOST_LINES + 1))).collect();
        assert_eq!(stale_excuses(&needed), []);
        assert_eq!(stale_excuses(&[]).len(), LONG.len());
    }
}
