//! The spec compiler: from the argument text of a stapsdt note and a mapping to what the kernel programs execute.
//!
//! Pure: text in, numbers out.

mod aarch64;
mod compile;
mod place;
mod status;
#[cfg(test)]
mod tests;
mod x86_64;

pub use compile::{Slots, compile};
pub use place::{ArgPlace, Place, parse_args};
pub use status::{SpecError, status_table};
