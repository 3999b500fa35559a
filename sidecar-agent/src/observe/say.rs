//! What the log says of images that were looked at. Whoever may run programs can bring any number of them about, so
//! the same kind of trouble is told once in a while only; metrics have all of them.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::attach::{Outcome, Reason, Remark, RemarkKind};

/// How long the log does not repeat a kind of trouble.
const PAUSE: Duration = Duration::from_secs(60);

/// Remembers what was said.
#[derive(Debug, Default)]
pub(super) struct Speaker {
    reasons: Mutex<BTreeMap<Reason, Instant>>,
    /// Of functions, by the key of their entry.
    remarks: Mutex<HashMap<(String, RemarkKind), Instant>>,
}

impl Speaker {
    /// Tells what came of an image.
    pub(super) fn say(&self, outcome: &Outcome, path: &Path) {
        let path = shown(path);
        match outcome {
            Outcome::Attached { probes, sites } => {
                tracing::info!("attached to {path} (specs: {probes}, sites: {sites})");
            }
            Outcome::Refused { reason, message, again } => {
                let text = format!("not attached to {path} ({}): {message}", reason.name());
                if !again && self.is_worth_saying(*reason, Instant::now()) {
                    tracing::warn!("{text}");
                } else {
                    tracing::debug!("{text}");
                }
            }
            Outcome::AlreadyAttached | Outcome::NothingWanted => {}
        }
    }

    /// Tells what people should know of functions in an image.
    pub(super) fn remark(&self, remarks: &[Remark], path: &Path) {
        let now = Instant::now();
        for Remark { key, kind, message } in remarks {
            let text = format!("{key}: {}: {message}", shown(path));
            let mut said = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
            let about = (key.clone(), *kind);
            if said.get(&about).is_none_or(|&at| now.saturating_duration_since(at) >= PAUSE) {
                said.insert(about, now);
                tracing::warn!("{text}");
            } else {
                tracing::debug!("{text}");
            }
        }
    }

    fn is_worth_saying(&self, reason: Reason, now: Instant) -> bool {
        match reason {
            // Nearly always programs that nobody wanted to watch.
            Reason::Unusable | Reason::Foreign => return false,
            Reason::Unreadable | Reason::Changed | Reason::Full | Reason::Kernel => {}
        }
        let mut said = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = said.get(&reason).is_none_or(|&at| now.saturating_duration_since(at) >= PAUSE);
        if is_due {
            said.insert(reason, now);
        }
        is_due
    }
}

/// A path for the log: whoever names a file can't break a line of it.
pub(super) fn shown(path: &Path) -> String {
    let mut text = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_trouble_is_told_once_a_minute() {
        let speaker = Speaker::default();
        let now = Instant::now();
        assert!(speaker.is_worth_saying(Reason::Full, now));
        assert!(!speaker.is_worth_saying(Reason::Full, now + PAUSE / 2));
        assert!(speaker.is_worth_saying(Reason::Kernel, now + PAUSE / 2));
        assert!(speaker.is_worth_saying(Reason::Full, now + PAUSE));
        assert!(!speaker.is_worth_saying(Reason::Unusable, now));
    }

    #[test]
    fn a_path_stays_on_its_line() {
        assert_eq!(shown(Path::new("/a\nb\u{1b}[31m ü")), "/a\\nb\\u{1b}[31m ü");
    }
}
