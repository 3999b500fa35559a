//! The architecture document's list of modules is the law's: the same names in the same order, and the same are pure.

use super::lists::{ORDER, PURE};
use super::{File, Problem};

/// The document.
const DOCUMENT: &str = "docs/architecture.md";
/// The part of it that lists the modules.
const HEADING: &str = "## The agent's modules";

/// Where the document and the law differ.
pub(crate) fn modules(files: &[File]) -> Vec<Problem> {
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else { return Vec::new() };
    let (mut listed, mut pure) = (Vec::new(), Vec::new());
    let mut inside = false;
    let mut heading = 0;
    for (line, text) in (1..).zip(document.text.lines()) {
        if text.starts_with("## ") {
            inside = text.starts_with(HEADING);
            heading = if inside { line } else { heading };
        }
        let Some(row) = text.strip_prefix("| `").filter(|_| inside) else { continue };
        let cells: Vec<&str> = row.split(" | ").collect();
        // `exec`, `run` | ...
        let names = cells[0].split(['`', ',', ' ']).filter(|name| !name.is_empty());
        let is_pure = cells.last().is_some_and(|cell| cell.trim_end_matches('|').trim() == "yes");
        for name in names {
            listed.push(name);
            if is_pure {
                pure.push(name);
            }
        }
    }
    let mut problems = Vec::new();
    let mut compare = |what: &str, listed: &[&str], law: &[&str]| {
        if listed != law {
            problems.push(document.problem(
                heading,
                format!("{what} here: {}; in xtask/src/tidy/lists.rs: {}", listed.join(", "), law.join(", ")),
            ));
        }
    };
    compare("modules", &listed, &ORDER);
    compare("pure modules", &pure, &PURE);
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rows: &str) -> Vec<File> {
        let text =
            format!("# A\n| `other` | x |\n{HEADING}\n\n| module | | pure |\n{rows}\n## B\n| `c` | |\n");
        vec![File { path: DOCUMENT.to_owned(), text }]
    }

    fn row(name: &str) -> String {
        format!("| `{name}` | what it does | {} |\n", if PURE.contains(&name) { "yes" } else { "" })
    }

    #[test]
    fn every_module_is_listed_in_its_place() {
        let rows: Vec<String> = ORDER.iter().map(|name| row(name)).collect();
        assert_eq!(modules(&document(&rows.concat())), []);
        assert_eq!(modules(&document(&rows[1..].concat())).len(), 1);
        let mut swapped = rows;
        swapped.swap(0, 2);
        assert_eq!(modules(&document(&swapped.concat()))[0].line, 3);
    }

    #[test]
    fn two_modules_may_share_a_row_and_purity_counts() {
        let (last, others) = ORDER.split_last().unwrap();
        let (before, others) = others.split_last().unwrap();
        let mut rows: String = others.iter().map(|name| row(name)).collect();
        rows += &format!("| `{before}`, `{last}` | lives | |\n");
        assert_eq!(modules(&document(&rows)), []);
        assert_eq!(modules(&document(&rows.replace("yes", ""))).len(), 1);
    }
}
