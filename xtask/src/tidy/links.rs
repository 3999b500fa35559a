//! Links in Markdown files lead to files that exist.

use std::path::{Component, Path, PathBuf};

use super::{File, Problem};

/// Links to files that are not there. `exists` is asked with a path seen from the repository's root.
pub(crate) fn dead(files: &[File], exists: impl Fn(&Path) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.is("md")) {
        for (line, target) in targets(&file.text) {
            let path = target.split('#').next().unwrap_or("");
            if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
            match inside(folder, path) {
                Some(path) if exists(&path) => {}
                Some(_) => problems.push(file.problem(line, format!("`{target}` leads nowhere"))),
                None => problems.push(file.problem(line, format!("`{target}` leads out of the repository"))),
            }
        }
    }
    problems
}

/// A link's path as seen from the root; none when it leaves the repository.
fn inside(folder: &Path, link: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    let all = match link.strip_prefix('/') {
        Some(from_root) => PathBuf::from(from_root),
        None => folder.join(link),
    };
    for part in all.components() {
        match part {
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(path)
}

/// The targets of inline links and of reference definitions, outside of code.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fence = None;
    for (i, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark)) {
            fence = match fence {
                None => Some(mark),
                Some(open) if open == mark => None,
                Some(open) => Some(open),
            };
            continue;
        }
        if fence.is_some() {
            continue;
        }
        if start.starts_with('[')
            && let Some((_, target)) = start.split_once("]: ")
        {
            found.extend(target.split_whitespace().next().map(|target| (i + 1, target)));
            continue;
        }
        // Text between backquotes is code: every second part. Of a link whose text is code, the part
        // with `](target)` is left.
        for part in line.split('`').step_by(2) {
            inline(part, |target| found.push((i + 1, target)));
        }
    }
    found
}

fn inline<'a>(mut text: &'a str, mut see: impl FnMut(&'a str)) {
    while let Some((_, behind)) = text.split_once("](") {
        let Some((target, rest)) = behind.split_once(')') else { return };
        // `[text](target "title")`
        if let Some(target) = target.split_whitespace().next() {
            see(target.trim_matches(['<', '>']));
        }
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let files = [File { path: path.to_owned(), text: text.to_owned() }];
        let there = ["docs/a.md", "README.md", "docs"];
        let exists = |path: &Path| there.iter().any(|name| Path::new(name) == path);
        dead(&files, exists).iter().map(|problem| format!("{} {}", problem.line, problem.what)).collect()
    }

    #[test]
    fn links_that_lead_to_files_are_fine() {
        let text = "[a](docs/a.md) ![p](./README.md \"title\") [b](docs/a.md#part) [c](#here) [d](/docs/a.md)\n\
                    [e](https://example.com/x.md) [f](mailto:a@example.com) [`code`](docs)\n[r]: docs/a.md\n";
        assert_eq!(found("README.md", text), Vec::<String>::new());
        assert_eq!(found("docs/b.md", "[up](../README.md) [side](a.md)"), Vec::<String>::new());
    }

    #[test]
    fn dead_links_are_named_with_their_line() {
        assert_eq!(found("README.md", "ok\n[x](docs/none.md)"), ["2 `docs/none.md` leads nowhere"]);
        assert_eq!(found("docs/b.md", "[x](README.md)"), ["1 `README.md` leads nowhere"]);
        assert_eq!(found("README.md", "[`x`](none.md) [y](gone.md#z)").len(), 2);
        assert_eq!(found("README.md", "[r]: none.md"), ["1 `none.md` leads nowhere"]);
        assert_eq!(found("README.md", "[x](../out.md)"), ["1 `../out.md` leads out of the repository"]);
    }

    #[test]
    fn code_holds_no_links_and_other_files_are_not_markdown() {
        let text = "`[x](none.md)`\n```\n[x](none.md)\n```\n~~~sh\n```\n[x](none.md)\n~~~\n";
        assert_eq!(found("README.md", text), Vec::<String>::new());
        assert_eq!(found("a.rs", "[x](none.md)"), Vec::<String>::new());
    }
}
