//! docs/metrics.md lists exactly the metrics that the registry exports, with their types and labels.

use std::collections::BTreeMap;

use super::{full, metrics, page};

const DOCS: &str = include_str!("../../../../docs/metrics.md");

/// Name to (type, labels), from rows `| `name` | type | `label`, `label` | meaning | what to do |`.
fn documented() -> BTreeMap<String, (String, Vec<String>)> {
    let mut found = BTreeMap::new();
    for line in DOCS.lines().filter(|line| line.starts_with("| `sidecar_") || line.starts_with("| `process_"))
    {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning, action] = cells[..] else { panic!("not five cells: {line}") };
        assert!(!meaning.is_empty() && !action.is_empty(), "{line}");
        let mut labels: Vec<_> = labels
            .split(',')
            .map(|label| label.trim().trim_matches('`').to_owned())
            .filter(|l| !l.is_empty())
            .collect();
        labels.sort();
        let entry = (kind.to_owned(), labels);
        assert!(found.insert(name.trim_matches('`').to_owned(), entry).is_none(), "twice: {line}");
    }
    found
}

#[test]
fn the_documented_metrics_are_the_exported_ones() {
    let exported: BTreeMap<_, _> = page(&metrics(full()).1)
        .families
        .into_iter()
        .map(|(name, (kind, labels, _))| (name, (kind, labels.into_iter().collect::<Vec<_>>())))
        .collect();
    assert_eq!(documented(), exported);
}
