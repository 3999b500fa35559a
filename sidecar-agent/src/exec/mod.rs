//! Runs a command as if sidecar were not there, and shows on the terminal how it goes.
pub mod command;
mod outcome;
mod report;
pub mod signals;
mod start_state;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod verb;

pub use outcome::Outcome;
