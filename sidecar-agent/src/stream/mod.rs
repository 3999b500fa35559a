//! The stream of events for whoever listens: a hub, its subscribers, and their filters.
//!
//! Each subscriber has a ring of its own, bounded in events and in bytes. The path of events puts into the rings and
//! never waits; a subscriber that reads too slowly loses the oldest of its own events, is told how many, and nobody
//! else notices. Without subscribers an event costs one read of a number.

mod filter;
mod hub;
#[cfg(test)]
pub(crate) mod testing;

pub use filter::{Filter, FilterError};
pub use hub::{Hub, HubLimits, Item, Subscriber, TooMany};
