//! Keys of the sidecar that this one follows which have another name here, or no use.

use super::yaml::{Entry, Node, Tree};
use super::{Fault, KEYS};

/// What became of a key.
enum Now {
    /// It has this name. A `*` stands for what `*` stood for.
    Name(&'static str),
    /// There is none, and why.
    Gone(&'static str),
}

use Now::{Gone, Name};

/// Dotted names below the section; a last `*` stands for any name. The first that fits counts.
const TABLE: &[(&str, Now)] = &[
    ("queue.max_size", Name("resources.max_queue_size")),
    ("queue.drop_on_full", Name("resources.drop_on_full")),
    ("queue", Name("resources")),
    ("sampling.rates.*", Name("sampling.*")),
    ("sampling.rates", Gone("rates stand under `sampling` itself")),
    ("sampling.signals.*", Name("sampling.*")),
    ("sampling.signals", Gone("signals stand under `sampling` itself")),
    ("sampling.adaptive.boost_duration_seconds", Name("sampling.adaptive.boost_duration")),
    ("adaptive.boost_duration_seconds", Name("sampling.adaptive.boost_duration")),
    ("adaptive.*", Name("sampling.adaptive.*")),
    ("adaptive", Name("sampling.adaptive")),
    ("resources.on_cpu_exceeded", Gone(LADDER)),
    ("resources.on_memory_exceeded", Gone(LADDER)),
    (
        "profiling.deep_duration_sec",
        Gone("deep profiling lasts for as long as `profiling.deep_profiling` is true"),
    ),
    ("health.enabled", Name("health_checks.enabled")),
    ("health.interval_sec", Name("health_checks.interval_sec")),
    ("health.failure_threshold", Name("health_checks.failure_threshold")),
    ("health.bind", Name("http.listen, as ADDRESS:PORT")),
    ("health.port", Name("http.listen, as ADDRESS:PORT")),
    ("health", Name("health_checks (and the server's address is http.listen)")),
    ("metrics.enabled", Name("http.enabled")),
    ("metrics.labels", Gone(LABELS)),
    ("metrics.labels.*", Gone(LABELS)),
    ("metrics", Gone("metrics are always kept; `http` says where they are served")),
];

const LADDER: &str = "over its budget the agent sheds load in fixed steps, rates first";
const LABELS: &str = "labels of a whole agent are set where it is scraped, as by Prometheus' `labels`";

/// What became of the key of a dotted name.
fn renamed(name: &str) -> Option<Fault> {
    TABLE.iter().find_map(|(old, now)| {
        let rest = match old.strip_suffix('*') {
            Some(prefix) => name.strip_prefix(prefix).filter(|rest| !rest.contains('.'))?,
            None if *old == name => "",
            None => return None,
        };
        Some(match now {
            Name(to) => Fault::Renamed { to: to.replace('*', rest) },
            Gone(why) => Fault::Gone { why },
        })
    })
}

/// What became of an unknown key: of the first below it that has another name now, else of itself. With its
/// line and dotted name.
pub(super) fn renamed_below(name: &str, line: u32, node: &Node) -> Option<(u32, String, Fault)> {
    if let Tree::Map(entries) = &node.tree {
        let below = entries
            .iter()
            .find_map(|Entry { key, line, node }| renamed_below(&format!("{name}.{key}"), *line, node));
        if below.is_some() {
            return below;
        }
    }
    // A single value under such a name can be a signal of the user's own.
    if name.starts_with("sampling.")
        && matches!(node.tree, Tree::Scalar(_))
        && !name["sampling.".len()..].contains('.')
    {
        return None;
    }
    renamed(name).map(|fault| (line, name.to_owned(), fault))
}

/// Whether a name of the top level is one of the older files.
pub(super) fn was_top_level(name: &str) -> bool {
    TABLE.iter().any(|(old, _)| *old == name)
}

/// The one key that has this name at another place.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    let mut found = KEYS
        .iter()
        .map(|key| key.name)
        .filter(|known| known.rsplit_once('.').is_some_and(|(_, last)| last == name));
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::{find, is_group};

    #[test]
    fn every_new_name_is_a_key_or_a_group() {
        for (old, now) in TABLE {
            assert!(find(old).is_none() && !is_group(old), "{old} is a key");
            let Name(to) = now else { continue };
            let to = to.split([' ', ',']).next().unwrap();
            let to = to.strip_suffix(".*").unwrap_or(to);
            assert!(find(to).is_some() || is_group(to), "{to} is no key");
        }
    }

    #[test]
    fn names_with_a_star_keep_what_it_stood_for() {
        let to = |name: &str| renamed(name).map(|fault| fault.to_string());
        assert_eq!(to("queue.max_size").unwrap(), "renamed: resources.max_queue_size");
        assert_eq!(to("sampling.signals.flaky_signals").unwrap(), "renamed: sampling.flaky_signals");
        assert_eq!(to("adaptive.anomaly_threshold").unwrap(), "renamed: sampling.adaptive.anomaly_threshold");
        assert!(to("metrics.labels.product").unwrap().starts_with("is no key here: labels"));
        assert_eq!(to("queue.length"), None);
        assert_eq!(to("adaptive.a.b"), None);
    }

    #[test]
    fn a_name_is_known_elsewhere_only_if_it_is_at_one_place() {
        assert_eq!(elsewhere("max_queue_size"), Some("resources.max_queue_size"));
        assert_eq!(elsewhere("enabled"), None);
        assert_eq!(elsewhere("nothing"), None);
    }
}
