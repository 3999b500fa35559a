//! What differs between two configurations, and whether a running agent can make the change.

use super::{Config, KEYS, Source};

/// One key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The dotted key.
    pub key: String,
    /// The value that is in force.
    pub old: String,
    /// The value that is wanted.
    pub new: String,
    /// Whether a running agent can make the change.
    pub live: bool,
    /// Why it can't; empty where it can.
    pub why: &'static str,
    /// Where the wanted value stands.
    pub at: Source,
}

/// A configuration that can't be put in force without a restart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing was changed, because some of it needs a restart: {}", list(.0))]
pub struct NotLive(
    /// The changes that need one.
    pub Vec<Change>,
);

fn list(changes: &[Change]) -> String {
    let line =
        |change: &Change| format!("{} from {} to {} ({})", change.key, change.old, change.new, change.why);
    changes.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// What differs, in the order of [`KEYS`]. Where a value stands or came from is no difference.
#[must_use]
pub fn changes(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    for key in KEYS {
        if !key.same(old, new) {
            changes.push(Change {
                key: key.name.to_owned(),
                old: key.value(old),
                new: key.value(new),
                live: key.live(),
                why: key.restart.unwrap_or_default(),
                at: new.source(key.name),
            });
        }
    }
    let rate = |config: &Config, name: &str| {
        let found = config.sampling.user.iter().find(|(user, _)| user == name);
        found.map(|(_, rate)| *rate)
    };
    let mut names: Vec<&String> =
        old.sampling.user.iter().chain(&new.sampling.user).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    for name in names {
        let key = format!("sampling.{name}");
        let at = new.source(&key);
        let (old, new) = (rate(old, name), rate(new, name));
        if old != new {
            // A rate is live; a signal that comes or goes is not.
            let live = old.is_some() && new.is_some();
            let shown = |rate: Option<f64>| rate.map_or_else(|| "none".to_owned(), |rate| rate.to_string());
            changes.push(Change {
                key,
                old: shown(old),
                new: shown(new),
                live,
                why: if live { "" } else { "signals are numbered when the agent starts" },
                at,
            });
        }
    }
    changes
}

/// What differs, if a running agent can make all of it.
///
/// # Errors
/// Some of it needs a restart; then none of it may be made.
pub fn only_live(old: &Config, new: &Config) -> Result<Vec<Change>, NotLive> {
    let changes = changes(old, new);
    let fixed: Vec<Change> = changes.iter().filter(|change| !change.live).cloned().collect();
    if fixed.is_empty() { Ok(changes) } else { Err(NotLive(fixed)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileText, Sources, load};

    fn of(text: &str) -> Config {
        let file = FileText { name: "sidecar.yml".to_owned(), text: text.to_owned() };
        load(&Sources { file: Some(&file), ..Sources::default() }).unwrap()
    }

    /// `key: old -> new` of each change.
    fn told(old: &str, new: &str) -> Vec<String> {
        let told = |change: Change| format!("{}: {} -> {}", change.key, change.old, change.new);
        changes(&of(old), &of(new)).into_iter().map(told).collect()
    }

    #[test]
    fn equal_values_are_no_change_wherever_they_stand() {
        let probe = "probes: [{provider: a, marker: b, status: {0: passed}}]\n";
        assert!(told("", "enabled: true\nsampling: {events: 0.1}\n").is_empty());
        assert!(told(probe, &format!("\n# moved\nhttp: {{enabled: true}}\n{probe}")).is_empty());
    }

    #[test]
    fn every_difference_is_told_once() {
        assert_eq!(
            told(
                "enabled: true\nsampling: {events: 0.1, mine: 0.5, gone: 1}\n",
                "enabled: false\nsampling: {events: 0.2, mine: 0.25, fresh: 1}\n",
            ),
            [
                "enabled: true -> false",
                "sampling.events: 0.1 -> 0.2",
                "sampling.fresh: none -> 1",
                "sampling.gone: 1 -> none",
                "sampling.mine: 0.5 -> 0.25",
            ]
        );
        // The names alone are the same; an argument is not.
        let probe = |role: &str| format!("probes: [{{provider: a, marker: b, args: [{role}]}}]\n");
        assert_eq!(told(&probe("message"), &probe("suite")), ["probes: [a:b] -> [a:b]"]);
        assert_eq!(told("", "sinks: []\n"), ["sinks: [jsonl -] -> []"]);
    }

    #[test]
    fn a_secret_that_differs_is_a_change_that_does_not_show_it() {
        let hook = |url: &str, key: &str| {
            format!("handlers: [{{type: http, url: '{url}', headers: {{X-Key: {key}}}}}]\n")
        };
        let old = hook("http://h/one", "one");
        assert!(told(&old, &old).is_empty());
        for new in [hook("http://h/two", "one"), hook("http://h/one", "two")] {
            assert_eq!(told(&old, &new), ["handlers: [http-1 (http)] -> [http-1 (http)]"]);
            assert!(only_live(&of(&old), &of(&new)).is_ok());
        }
    }

    #[test]
    fn what_needs_a_restart_is_refused_by_name_and_as_a_whole() {
        let old = of("");
        assert_eq!(only_live(&old, &of("sampling: {events: 1}\nreload: {watch: false}\n")).unwrap().len(), 2);
        let new = of("sampling: {events: 1}\ndiscovery: {ring_bytes: 4096}\nhttp: {listen: \"[::1]:1\"}\n");
        let refused = only_live(&old, &new).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "nothing was changed, because some of it needs a restart: discovery.ring_bytes from 2097152 to 4096 \
             (the kernel makes the buffer once, when the agent starts); http.listen from 127.0.0.1:9808 to \
             [::1]:1 (the address is bound once, when the agent starts)"
        );
    }

    #[test]
    fn the_groups_that_promise_to_change_live_do() {
        let fixed: Vec<_> = KEYS.iter().filter(|key| !key.live()).map(|key| key.name).collect();
        for name in [
            "enabled",
            "sampling.",
            "resources.",
            "profiling.",
            "health_checks.",
            "reload.",
            "shutdown.",
            "handlers",
        ] {
            assert!(!fixed.iter().any(|key| key.starts_with(name)), "{name} in {fixed:?}");
        }
        for name in ["probes", "http.listen", "http.enabled"] {
            assert!(fixed.contains(&name), "{name}");
        }
        let discovery = KEYS.iter().filter(|key| key.name.starts_with("discovery."));
        assert!(discovery.clone().count() >= 6);
        assert!(discovery.clone().all(|key| !key.live()));
    }

    #[test]
    fn a_signal_that_comes_or_goes_needs_a_restart_and_its_rate_does_not() {
        let old = of("sampling: {mine: 0.5}\n");
        assert_eq!(only_live(&old, &of("sampling: {mine: 1}\n")).unwrap().len(), 1);
        for (new, from, to) in [("", "0.5", "none"), ("sampling: {mine: 0.5, other: 1}\n", "none", "1")] {
            let refused = only_live(&old, &of(new)).unwrap_err().to_string();
            let end = format!("from {from} to {to} (signals are numbered when the agent starts)");
            assert!(refused.ends_with(&end), "{refused}");
        }
    }
}
