//! What Cargo built and what compilers make of it: the markers' notes, code and semaphores, and the C ABI.
#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod aarch64;
mod c_abi;
mod elf;
mod notes;
mod tools;
