//! What the parts of a running agent share: the configuration, rates, the governor, and who takes the events.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool, atomic::Ordering},
    thread::Thread,
    time::Instant,
};

use super::{
    first_event::FirstEvents,
    heap,
    rates::Rates,
    reload::{InForce, Origin},
    seen::Seen,
    source::NodeSource,
};
use crate::{
    config::Config,
    governor::{Budget, Decision, Governor, Shed},
    handlers::Handlers,
    health::{Checks, Health},
    http::Load,
    observe::Steering,
    profiler::{Profiler, Settings},
    stream::Hub,
};

/// A running agent, for all its threads. No two of these locks are held at once, but for that of the configuration,
/// which a reload holds throughout and nothing on the path of events waits for.
pub(super) struct Core {
    pub(super) started: Instant,
    pub(super) health: Arc<Health>,
    pub(super) hub: Arc<Hub>,
    pub(super) handlers: Arc<Handlers>,
    pub(super) source: Arc<NodeSource>,
    pub(super) seen: Arc<Mutex<Seen>>,
    in_force: Mutex<InForce>,
    rates: Mutex<Rates>,
    profiler: Mutex<Profiler>,
    governor: Mutex<Governor>,
    checks: Mutex<Checks>,
    steering: OnceLock<Steering>,
    /// Switched on by the configuration.
    enabled: AtomicBool,
    /// Detached by the governor.
    detached: AtomicBool,
    /// The configuration's file has changed.
    pub(super) file_changed: AtomicBool,
    pub(super) stopping: AtomicBool,
    keeper: OnceLock<Thread>,
    /// Where the HTTP server listens, and what it says of itself.
    pub(super) http: OnceLock<(String, Arc<Load>)>,
    pub(super) first_events: FirstEvents,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking thread left is still figures whose parts don't depend on each other.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    pub(super) fn new(
        config: &Config,
        origin: Option<Origin>,
        source: Arc<NodeSource>,
        hub: Arc<Hub>,
    ) -> Self {
        Self {
            started: Instant::now(),
            health: Arc::new(Health::new(Instant::now(), &["kernel", "attach"])),
            hub,
            handlers: Arc::clone(&source.handlers),
            source,
            seen: Arc::default(),
            in_force: Mutex::new(InForce::new(config.clone(), origin)),
            rates: Mutex::new(Rates::new(config)),
            profiler: Mutex::new(Profiler::new(Settings::of(&config.profiling), None)),
            governor: Mutex::new(Governor::new(Budget::of(&config.resources))),
            checks: Mutex::default(),
            steering: OnceLock::new(),
            enabled: AtomicBool::new(config.enabled),
            detached: AtomicBool::new(false),
            file_changed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            keeper: OnceLock::new(),
            http: OnceLock::new(),
            first_events: FirstEvents::default(),
        }
    }

    pub(super) fn in_force(&self) -> MutexGuard<'_, InForce> {
        lock(&self.in_force)
    }

    pub(super) fn rates(&self) -> MutexGuard<'_, Rates> {
        lock(&self.rates)
    }

    pub(super) fn profiler(&self) -> MutexGuard<'_, Profiler> {
        lock(&self.profiler)
    }

    pub(super) fn governor(&self) -> MutexGuard<'_, Governor> {
        lock(&self.governor)
    }

    pub(super) fn checks(&self) -> MutexGuard<'_, Checks> {
        lock(&self.checks)
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// What steers the observer, where there is one.
    pub(super) fn steering(&self) -> Option<&Steering> {
        self.steering.get()
    }

    /// The observer runs.
    pub(super) fn observes(&self, steering: Steering) {
        self.profiler().set_source(Some(steering.footprint().into()));
        // The first one stays: an agent loads the kernel side once.
        let _ = self.steering.set(steering);
        self.write_rates();
        self.switch();
    }

    /// The HTTP server runs.
    pub(super) fn serves(&self, places: String, load: Arc<Load>) {
        // There is one.
        let _ = self.http.set((places, load));
        if let Some(figures) = self.http_figures() {
            self.checks().update_http(&self.health, &figures, Instant::now());
        }
    }

    /// Tells the kernel the rates of all signals, and the profiler that what a hit costs is another.
    pub(super) fn write_rates(&self) {
        let Some(steering) = self.steering() else { return };
        let states = self.rates().states();
        for (name, state) in states {
            if let Err(error) = steering.set_signal(&name, &state) {
                tracing::error!("the rate of {name} can't be set: {error}");
            }
        }
        self.profiler().rates_changed();
    }

    /// The configuration's switch.
    pub(super) fn set_enabled(&self, enabled: bool) {
        if self.enabled.swap(enabled, Ordering::AcqRel) != enabled {
            tracing::info!(
                "{}",
                if enabled { "switched on" } else { "switched off: every probe is taken off" }
            );
        }
        self.switch();
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    /// Watches, or not, as the configuration and the governor want.
    fn switch(&self) {
        let Some(steering) = self.steering() else { return };
        if self.is_enabled() && !self.detached.load(Ordering::Acquire) {
            steering.resume();
        } else {
            steering.suspend();
        }
    }

    /// Does what the governor decided.
    pub(super) fn obey(&self, decision: &Decision) {
        self.shed(decision.shed);
        if !decision.changed {
            return;
        }
        self.rates().govern(decision.rate_factor);
        self.write_rates();
        if let Some(steering) = self.steering()
            && let Err(error) = steering.set_drop_payloads(!decision.payloads)
        {
            tracing::error!("payloads can't be switched: {error}");
        }
        self.detached.store(!decision.attached, Ordering::Release);
        self.switch();
    }

    /// Gives memory up, and back to the system.
    fn shed(&self, shed: Shed) {
        let queue = match shed {
            Shed::Nothing => return,
            Shed::Caches => false,
            Shed::Queue => true,
        };
        if let Some(steering) = self.steering() {
            steering.shed_caches();
            if queue {
                steering.shed_queue();
            }
        }
        heap::trim();
    }

    /// The thread that looks after everything.
    pub(super) fn set_keeper(&self, thread: Thread) {
        // There is one.
        let _ = self.keeper.set(thread);
    }

    /// Wakes the keeper.
    pub(super) fn wake(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
    }
}
