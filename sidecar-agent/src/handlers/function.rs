//! Handlers that are functions of this program. One that panics is counted, and called again for the next event.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::inlet::Inlet;
use super::message::Message;
use super::reason::Reason;
use super::text::plain;
use crate::event::Event;

/// Why a function did not handle an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HandlerError(pub String);

/// Does something about events, on a thread of its own: it may block.
pub trait Handler: Send {
    /// One event.
    ///
    /// # Errors
    /// The event is counted as failed, and the handler goes on with the next one.
    fn handle(&mut self, event: &Event) -> Result<(), HandlerError>;
}

/// What a closure may return: nothing, or a result whose error has a text.
pub trait Outcome {
    /// As a handler's result.
    ///
    /// # Errors
    /// The closure's own error.
    fn outcome(self) -> Result<(), HandlerError>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), HandlerError> {
        self.map_err(|error| HandlerError(error.to_string()))
    }
}

impl<F, R> Handler for F
where
    F: FnMut(&Event) -> R + Send,
    R: Outcome,
{
    fn handle(&mut self, event: &Event) -> Result<(), HandlerError> {
        self(event).outcome()
    }
}

/// Calls the handler for what the queue gives until it is closed and empty.
pub(super) fn serve(mut handler: Box<dyn Handler>, inlet: &Inlet, runtime: &tokio::runtime::Runtime) {
    while let Some(message) = runtime.block_on(inlet.queue.pop()) {
        call(handler.as_mut(), &message, inlet);
    }
}

fn call(handler: &mut dyn Handler, message: &Message, inlet: &Inlet) {
    match catch_unwind(AssertUnwindSafe(|| handler.handle(message.event()))) {
        Ok(Ok(())) => inlet.tally.handled(),
        Ok(Err(HandlerError(text))) => inlet.tally.failed(Reason::FunctionFailed, &plain(&text)),
        Err(panic) => inlet.tally.failed(Reason::Panicked, &format!("it panicked: {}", said(&*panic))),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    plain(text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)"))
}
