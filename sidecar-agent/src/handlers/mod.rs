//! What is done about events: programs that are run, HTTP requests, rotated files, and functions of a Rust program.
//!
//! [`Handlers`] holds them. [`Handlers::dispatch`] never blocks: each handler has a bounded queue of its own, and
//! what it can't take is counted with its [`Reason`]. Programs and requests share one thread
//! (`sidecar-handler`); a file, and a function, has a thread of its own, because it may block. A failing handler
//! is seen in its [`HandlerStats`], and nowhere else.
//!
//! For each handler, at any time: received = handled + failed and dropped by each reason + waiting + in flight.
//!
//! ```
//! # fn main() -> Result<(), sidecar_agent::handlers::HandlersError> {
//! use sidecar_agent::handlers::Handlers;
//!
//! let handlers = Handlers::new();
//! handlers.on("test_failure", "tell", |event| println!("{:?} failed", event.test_id))?;
//! # Ok(())
//! # }
//! ```

mod backoff;
mod child;
mod command;
mod drain;
mod engine;
mod filter;
mod function;
mod http;
mod inlet;
mod jsonl;
mod limit;
mod message;
mod reason;
mod rotate;
mod set;
mod slot;
mod spool;
mod stats;
mod tally;
#[cfg(test)]
mod tests;
mod text;

pub use filter::Filter;
pub use function::{Handler, HandlerError, Outcome};
pub use inlet::QueueOptions;
pub use message::Message;
pub use reason::Reason;
pub use set::{Handlers, HandlersError};
pub use stats::{HandlerStats, Kind, LastError};
