//! Reading the configuration again: whole or not at all.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::core::Core;
use crate::{
    check,
    config::{self, Change, Config, NotLive, Place, Source},
    control::{ReloadRefused, ReloadReport},
    governor::{Budget, needs},
    handlers::HandlersError,
    observe::monotonic_ns,
    profiler,
};

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The file; without one there are the environment, flags and defaults.
    pub file: Option<PathBuf>,
    /// The flag `--listen`.
    pub listen: Option<SocketAddr>,
}

/// Why a configuration was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It can't be used.
    #[error(transparent)]
    Unusable(#[from] check::Unusable),
    /// It changes what can't be changed without a restart.
    #[error(transparent)]
    NotLive(#[from] NotLive),
    /// A handler can't be started.
    #[error("{at}: handlers: {error}")]
    Handlers {
        /// Where the handlers stand.
        at: Source,
        /// Why not.
        error: HandlersError,
    },
}

/// The configuration in force, and how it came to be.
pub(super) struct InForce {
    pub(super) config: Config,
    pub(super) origin: Option<Origin>,
    pub(super) loaded_ns: i64,
    pub(super) reloads: u64,
    pub(super) refused: u64,
    pub(super) last_refusal: Option<ReloadRefused>,
}

impl InForce {
    pub(super) fn new(config: Config, origin: Option<Origin>) -> Self {
        Self { config, origin, loaded_ns: utc_ns(), reloads: 0, refused: 0, last_refusal: None }
    }
}

/// Now, in nanoseconds since 1970 UTC.
pub(super) fn utc_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Core {
    /// Reads the configuration again from where it came, and applies it. Gives the keys that changed.
    pub(super) fn reload_from_origin(&self) -> Result<ReloadReport, ReloadRefused> {
        let begun = Instant::now();
        // One at a time, from the reading to the end.
        let mut in_force = self.in_force();
        let origin = in_force.origin.clone().unwrap_or_default();
        let read = check::usable(origin.file.as_deref(), &check::overrides(origin.listen));
        let outcome = read.map_err(ReloadError::from).and_then(|fresh| self.apply(&mut in_force, fresh));
        match outcome {
            Ok(changes) => {
                in_force.reloads += 1;
                in_force.loaded_ns = utc_ns();
                in_force.last_refusal = None;
                let changed: Vec<String> = changes.into_iter().map(|change| change.key).collect();
                if changed.is_empty() {
                    tracing::info!("the configuration was read again; nothing in it changed");
                } else {
                    tracing::info!("the configuration was read again; changed: {}", changed.join(", "));
                }
                Ok(ReloadReport { changed, duration_seconds: begun.elapsed().as_secs_f64() })
            }
            Err(error) => {
                let refused = refusal(error);
                tracing::error!("{refused}");
                in_force.refused += 1;
                in_force.last_refusal = Some(refused.clone());
                Err(refused)
            }
        }
    }

    /// Applies a configuration in place of the one in force.
    fn apply(&self, in_force: &mut InForce, fresh: Config) -> Result<Vec<Change>, ReloadError> {
        let changes = config::only_live(&in_force.config, &fresh)?;
        // The one step that can fail comes first, and is itself whole or nothing.
        self.handlers
            .replace_all(&fresh.handlers, fresh.shutdown.grace())
            .map_err(|error| ReloadError::Handlers { at: fresh.source("handlers"), error })?;
        self.put_in_force(&fresh);
        in_force.config = fresh;
        Ok(changes)
    }

    /// What can't fail of applying a configuration.
    pub(super) fn put_in_force(&self, config: &Config) {
        let budget = Budget::of(&config.resources);
        if let Err(error) = needs(config).check(&budget) {
            tracing::warn!("{error}");
        }
        self.rates().reload(config);
        self.write_rates();
        if self.governor().view().budget != budget {
            self.governor().reset(budget, monotonic_ns());
            self.obey(&self.governor().decision());
        }
        self.profiler().configure(profiler::Settings::of(&config.profiling));
        let items = usize::try_from(config.resources.max_queue_size).unwrap_or(usize::MAX);
        let bytes = needs(config).queue_bytes(&budget);
        if let Some(steering) = self.steering() {
            steering.set_queue_limits(items, bytes, config.resources.drop_on_full);
        }
        self.source.set_sink_limits(items, bytes, config.resources.drop_on_full);
        self.set_enabled(config.enabled);
    }
}

/// The refusal as the API tells it.
fn refusal(error: ReloadError) -> ReloadRefused {
    let reason = error.to_string();
    let (place, needs_restart) = match error {
        ReloadError::Unusable(unusable) => (unusable.place(), Vec::new()),
        ReloadError::NotLive(NotLive(changes)) => (
            changes.first().map(Place::of_change).unwrap_or_default(),
            changes.into_iter().map(|change| change.key).collect(),
        ),
        ReloadError::Handlers { at, error } => {
            (Place::of_value(&at, "handlers", error.to_string()), Vec::new())
        }
    };
    ReloadRefused { reason, place: Box::new(place), needs_restart }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: &str, line: u32) -> Change {
        Change {
            key: key.to_owned(),
            old: "1".to_owned(),
            new: "2".to_owned(),
            live: false,
            why: "it is made once",
            at: Source::File { file: "a.yml".into(), line },
        }
    }

    #[test]
    fn a_refusal_has_the_place_of_its_first_fault_and_names_all_keys() {
        let refused = refusal(NotLive(vec![change("probes", 3), change("http.listen", 7)]).into());
        assert_eq!(refused.needs_restart, ["probes", "http.listen"]);
        let place = &refused.place;
        assert_eq!((place.file.as_deref(), place.line), (Some("a.yml"), Some(3)));
        assert_eq!(place.key.as_deref(), Some("probes"));
        assert_eq!(place.reason, "needs a restart: it is made once");
        assert!(refused.reason.contains("probes from 1 to 2 (it is made once); http.listen"), "{refused}");
    }

    #[test]
    fn a_handler_that_can_not_be_started_is_told_with_the_place_of_the_handlers() {
        let at = Source::File { file: "a.yml".into(), line: 9 };
        let error = HandlersError::Tls("no store".to_owned());
        let refused = refusal(ReloadError::Handlers { at, error });
        assert!(
            refused.reason.starts_with("a.yml:9: handlers: https is not possible: no store"),
            "{refused}"
        );
        let place = refused.place;
        assert_eq!((place.file.as_deref(), place.line), (Some("a.yml"), Some(9)));
        assert_eq!(place.key.as_deref(), Some("handlers"));
        assert!(place.reason.starts_with("https is not possible"), "{}", place.reason);
        assert!(refused.needs_restart.is_empty());
    }

    #[test]
    fn a_variable_and_a_flag_are_places_too() {
        let range = || config::Fault::Range { found: "0".to_owned(), range: "1 to 2".to_owned() };
        for (at, variable, flag) in [
            (Source::Env("SIDECAR_CPU_BUDGET"), Some("SIDECAR_CPU_BUDGET"), None),
            (Source::Flag("--listen"), None, Some("--listen")),
            (Source::Default, None, None),
        ] {
            let error = config::ConfigError::Value { at, key: "a.key".to_owned(), fault: range() };
            let place = refusal(check::Unusable::from(error).into()).place;
            assert_eq!((place.variable, place.flag, place.file), (variable, flag, None));
            assert_eq!(place.reason, "0 is out of range: wants 1 to 2");
        }
    }
}
