//! A strict parser of the text exposition format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::{BTreeMap, BTreeSet};

/// A parsed scrape. Samples by their series as written, volatile ones (the process's) included.
#[derive(Debug, Default)]
pub(super) struct Page {
    samples: BTreeMap<String, f64>,
    /// Name to type, labels of the first sample, help.
    pub(super) families: BTreeMap<String, (String, BTreeSet<String>, String)>,
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        let own = |page: &Self| {
            let mut samples = page.samples.clone();
            samples.retain(|series, _| !series.starts_with("process_"));
            samples
        };
        own(self) == own(other)
    }
}

impl Page {
    pub(super) fn value(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }
    /// Name of every sample.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.samples.keys().map(|series| series.split('{').next().unwrap())
    }
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.samples.iter().filter(|(s, _)| s.split('{').next() == Some(name)).map(|(_, value)| value).sum()
    }
}

pub(super) fn parse(text: &str) -> Result<Page, String> {
    let mut page = Page::default();
    let (mut family, mut kind) = (String::new(), String::new());
    let body = text.strip_suffix('\n').ok_or("no newline at the end")?;
    for line in body.split('\n') {
        let bad = |why: &str| format!("{why}: {line:?}");
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| bad("HELP without text"))?;
            check_name(name).ok_or_else(|| bad("name"))?;
            let entry = (String::new(), BTreeSet::new(), help.to_owned());
            if page.families.insert(name.to_owned(), entry).is_some() {
                return Err(bad("a family twice"));
            }
            (family, kind) = (name.to_owned(), String::new());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, is) = rest.split_once(' ').ok_or_else(|| bad("TYPE without type"))?;
            if name != family || !kind.is_empty() || !["counter", "gauge", "histogram"].contains(&is) {
                return Err(bad("TYPE out of place"));
            }
            kind = is.to_owned();
            page.families.get_mut(name).ok_or_else(|| bad("no HELP"))?.0 = is.to_owned();
        } else {
            let (series, name, labels, value) = sample(line).ok_or_else(|| bad("not a sample"))?;
            let suffix = name.strip_prefix(family.as_str()).ok_or_else(|| bad("outside its family"))?;
            let allowed: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            if !allowed.contains(&suffix) || kind.is_empty() {
                return Err(bad("a name that its type does not have"));
            }
            if kind != "gauge" && !(value.is_finite() && value >= 0.0) {
                return Err(bad("a counter below zero"));
            }
            let labels: BTreeSet<_> = labels.into_iter().filter(|label| label != "le").collect();
            let known = &mut page.families.get_mut(&family).ok_or_else(|| bad("no HELP"))?.1;
            if known.is_empty() {
                *known = labels;
            } else if *known != labels {
                return Err(bad("other labels than before"));
            }
            if page.samples.insert(series, value).is_some() {
                return Err(bad("a series twice"));
            }
        }
    }
    Ok(page)
}

fn check_name(name: &str) -> Option<()> {
    let mut chars = name.chars();
    let first = chars.next()?;
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (fine(first) && !first.is_ascii_digit() && chars.all(fine)).then_some(())
}

/// Series as written, name, label names, value.
fn sample(line: &str) -> Option<(String, &str, Vec<String>, f64)> {
    let end = line.find(['{', ' '])?;
    let name = &line[..end];
    check_name(name)?;
    let mut labels = Vec::new();
    let mut rest = &line[end..];
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            check_name(label)?;
            labels.push(label.to_owned());
            rest = after_value(after)?;
            if let Some(after) = rest.strip_prefix('}') {
                rest = after;
                break;
            }
            rest = rest.strip_prefix(',')?;
        }
    }
    let series = &line[..line.len() - rest.len()];
    let value = rest.strip_prefix(' ')?;
    (!value.contains(' ')).then_some(())?;
    Some((series.to_owned(), name, labels, value.parse().ok()?))
}

/// What follows the closing quote; only the three escapes of the format are allowed.
fn after_value(text: &str) -> Option<&str> {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some(&text[at + 1..]),
            '\\' => ['\\', '"', 'n'].contains(&chars.next()?.1).then_some(())?,
            _ => {}
        }
    }
    None
}

#[test]
fn the_parser_is_strict() {
    let head = "# HELP a b\n# TYPE a counter\n";
    assert!(parse(&format!("{head}a{{x=\"1\\\"\"}} 1\n")).is_ok());
    for bad in [
        "a 1",
        "a{x=\"1} 1\n",
        "a{x=\"\\r\"} 1\n",
        "a -1\n",
        "b 1\n",
        "a_sum 1\n",
        "a 1\na 2\n",
        "a  1\n",
        "\n",
    ] {
        assert!(parse(&format!("{head}{bad}")).is_err(), "{bad:?}");
    }
}
