//! All handlers: adding, removing and replacing them while events come, and their end.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::command::Program;
use super::drain::drain;
use super::engine::{Engine, Work};
use super::filter::Filter;
use super::function::{self, Handler, Outcome};
use super::http::Poster;
use super::inlet::{Intake, QueueOptions};
use super::jsonl;
use super::message::Message;
use super::slot::Slot;
use super::stats::{HandlerStats, Kind};
use crate::config::{Action, HandlerConfig};
use crate::event::Event;

/// Why a handler can't be had.
#[derive(Debug, thiserror::Error)]
pub enum HandlersError {
    /// There is one of this name.
    #[error("there is a handler `{0}` already; remove it first, or choose another name")]
    NameTaken(String),
    /// A condition is no glob.
    #[error("{0}")]
    Glob(#[from] globset::Error),
    /// The URL or a header can't be used.
    #[error("the URL or a header can't be used: {0}")]
    Url(String),
    /// There are no certificate authorities to trust.
    #[error("https is not possible: {0}; install the system's certificate authorities (ca-certificates)")]
    Tls(String),
    /// The system refuses a thread or a descriptor.
    #[error("can't start a handler: {0}")]
    System(#[from] io::Error),
}

/// All handlers. Dropping it ends them at once; [`Handlers::finish`] gives them a grace.
#[derive(Default)]
pub struct Handlers {
    /// Replaced as a whole, so that dispatching holds the lock for a moment only.
    slots: Mutex<Arc<Vec<Arc<Slot>>>>,
    /// Those that are ending.
    leaving: Mutex<Vec<Arc<Slot>>>,
    /// Held while handlers are added, removed or replaced. The engine starts with the first handler.
    engine: Mutex<Option<Engine>>,
}

impl Handlers {
    /// No handlers, no threads.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands an event to every handler that wants it. Never blocks: what a queue can't take is counted.
    pub fn dispatch(&self, message: &Message) {
        self.current().iter().for_each(|slot| slot.offer(message));
    }

    /// Whether there is no handler: then nothing has to be dispatched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.current().is_empty()
    }

    /// Adds a handler of this program's own.
    ///
    /// # Errors
    /// The name is taken, or the system refuses a thread.
    pub fn register(
        &self,
        name: &str,
        filter: Filter,
        queue: QueueOptions,
        handler: impl Handler + 'static,
    ) -> Result<(), HandlersError> {
        let handler = Box::new(handler);
        let mut engine = self.engine();
        if self.current().iter().any(|slot| slot.name == name) {
            return Err(HandlersError::NameTaken(name.to_owned()));
        }
        let slot = Slot::new(name, Kind::Function, None, filter, Intake::new(queue));
        let (inlet, runtime) = (slot.inlet(), parking()?);
        let body = move || function::serve(handler, &inlet, &runtime);
        slot.start(started(&mut engine)?, Work::Thread(Box::new(body)))?;
        let mut slots = self.current().to_vec();
        slots.push(Arc::new(slot));
        self.publish(slots);
        Ok(())
    }

    /// The same for a closure and events of one type.
    ///
    /// # Errors
    /// As [`Handlers::register`].
    pub fn on<R: Outcome>(
        &self,
        event_type: &str,
        name: &str,
        handler: impl FnMut(&Event) -> R + Send + 'static,
    ) -> Result<(), HandlersError> {
        self.register(name, Filter::types([event_type]), QueueOptions::default(), handler)
    }

    /// Ends a handler: it gets nothing more, and `grace` for what waits. Returns at once; false if there is none of
    /// this name.
    pub fn remove(&self, name: &str, grace: Duration) -> bool {
        let engine = self.engine();
        let (gone, stay): (Vec<_>, Vec<_>) =
            self.current().iter().cloned().partition(|slot| slot.name == name);
        self.publish(stay);
        let found = !gone.is_empty();
        self.end(engine.as_ref(), gone, grace);
        found
    }

    /// Makes the configured handlers these, all or (with an error) none of them. A handler whose configuration is
    /// the same keeps its queue and its counters; one that is gone or changed gets `grace` for what waits, while
    /// this returns at once. Functions stay.
    ///
    /// # Errors
    /// A new handler can't be started, or has a function's name. Then everything is as it was.
    pub fn replace_all(&self, configs: &[HandlerConfig], grace: Duration) -> Result<(), HandlersError> {
        let mut engine = self.engine();
        let current = self.current();
        let mut next: Vec<_> = current.iter().filter(|slot| slot.config.is_none()).cloned().collect();
        let mut fresh = Fresh(Vec::new());
        for config in configs {
            if next.iter().any(|slot| slot.name == config.name) {
                return Err(HandlersError::NameTaken(config.name.clone()));
            }
            let same = current.iter().find(|slot| slot.config.as_ref() == Some(config));
            let slot = match same {
                Some(slot) => Arc::clone(slot),
                None => {
                    let slot = Arc::new(build(config)?);
                    fresh.0.push(Arc::clone(&slot));
                    start(&slot, config, started(&mut engine)?)?;
                    slot
                }
            };
            next.push(slot);
        }
        fresh.0.clear();
        let stays = |slot: &Arc<Slot>| next.iter().any(|kept| Arc::ptr_eq(kept, slot));
        let gone = current.iter().filter(|slot| !stays(slot)).cloned().collect();
        self.publish(next);
        self.end(engine.as_ref(), gone, grace);
        Ok(())
    }

    /// The counters of each handler.
    #[must_use]
    pub fn stats(&self) -> Vec<HandlerStats> {
        self.current().iter().map(|slot| slot.stats()).collect()
    }

    /// The counters of the handlers that were removed or replaced and still work on what waits.
    #[must_use]
    pub fn leaving(&self) -> Vec<HandlerStats> {
        self.lock_leaving().iter().filter(|slot| !*slot.ended.borrow()).map(|slot| slot.stats()).collect()
    }

    /// Ends all handlers: each gets `grace` for what waits, then the rest is counted as dropped by shutdown. Gives
    /// their final counters, also of those that were leaving. Takes the grace and 3 s at most. Needs no runtime of
    /// its own kind.
    pub async fn finish(&self, grace: Duration) -> Vec<HandlerStats> {
        {
            let engine = self.engine();
            let all = self.current().to_vec();
            self.publish(Vec::new());
            self.end(engine.as_ref(), all, grace);
        }
        let ending = std::mem::take(&mut *self.lock_leaving());
        for slot in &ending {
            // The sender lives in the slot, so there is no error.
            let _ = slot.ended.subscribe().wait_for(|ended| *ended).await;
        }
        ending.iter().map(|slot| slot.stats()).collect()
    }

    fn end(&self, engine: Option<&Engine>, slots: Vec<Arc<Slot>>, grace: Duration) {
        let mut leaving = self.lock_leaving();
        leaving.retain(|slot| !*slot.ended.borrow());
        // There are slots only where there is an engine.
        let Some(engine) = engine else { return };
        for slot in slots {
            engine.detached(drain(Arc::clone(&slot), grace));
            leaving.push(slot);
        }
    }

    fn current(&self) -> Arc<Vec<Arc<Slot>>> {
        Arc::clone(&self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, slots: Vec<Arc<Slot>>) {
        let slots = Arc::new(slots);
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) = slots;
    }

    fn engine(&self) -> MutexGuard<'_, Option<Engine>> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_leaving(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        for slot in self.current().iter().chain(self.lock_leaving().iter()) {
            slot.abandon();
        }
    }
}

/// Handlers that were started and are not in use yet: they end where the next one can't be started.
struct Fresh(Vec<Arc<Slot>>);

impl Drop for Fresh {
    fn drop(&mut self) {
        self.0.iter().for_each(|slot| slot.abandon());
    }
}

fn build(config: &HandlerConfig) -> Result<Slot, HandlersError> {
    let kind = match &config.action {
        Action::Command(_) => Kind::Command,
        Action::Http(_) => Kind::Http,
        Action::Jsonl(_) => Kind::Jsonl,
    };
    let filter = Filter::new(&config.events, &config.when)?;
    let fitting = |count| usize::try_from(count).unwrap_or(usize::MAX);
    let queue = QueueOptions {
        size: fitting(config.queue_size),
        bytes: fitting(config.queue_bytes),
        drop_on_full: config.drop_on_full,
    };
    Ok(Slot::new(&config.name, kind, Some(config.clone()), filter, Intake::new(queue)))
}

fn start(slot: &Slot, config: &HandlerConfig, engine: &Engine) -> Result<(), HandlersError> {
    match &config.action {
        Action::Command(action) => {
            let program = Arc::new(Program::new(action));
            if !program.exists() {
                tracing::warn!(
                    handler = slot.name,
                    "its program is not there; it is looked for at each event"
                );
            }
            for _ in 0..action.concurrency {
                let (program, inlet) = (Arc::clone(&program), slot.inlet());
                slot.start(engine, Work::Task(Box::pin(async move { program.serve(inlet).await })))?;
            }
        }
        Action::Http(action) => {
            slot.start(engine, Work::Task(Box::pin(Poster::new(action)?.serve(slot.inlet()))))?;
        }
        Action::Jsonl(action) => {
            let (action, inlet, runtime) = (action.clone(), slot.inlet(), parking()?);
            let body = move || jsonl::serve(&action, &inlet, &runtime);
            slot.start(engine, Work::Thread(Box::new(body)))?;
        }
    }
    Ok(())
}

fn started(engine: &mut Option<Engine>) -> Result<&Engine, HandlersError> {
    let running = match engine.take() {
        Some(engine) => engine,
        None => Engine::start_thread()?,
    };
    Ok(engine.insert(running))
}

/// Neither I/O nor time: it only parks a thread until its queue has something.
fn parking() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().build()
}
