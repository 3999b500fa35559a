//! From a marker's argument text and its mapping to the spec that the kernel programs read. Pure.
//!
//! Argument text is what the compiler wrote into the stapsdt note: blank-separated `[-]N[f]@OP`, with N the
//! size in bytes, `-` for signed, `f` for floating point, and OP an operand of the processor's assembler
//! (<https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>).

mod aarch64;
mod calling;
mod compile;
mod number;
mod place;
mod status;
#[cfg(test)]
mod tests;
mod x86_64;

pub use calling::{call_places, stack};
pub use compile::{Slots, compile};
pub use place::{ArgPlace, Place, Symbols, parse_args};
pub use status::{SpecError, status_table};
