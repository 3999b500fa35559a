//! Specs written by hand, for x86-64.

use sidecar_common::{
    ArgSpec, FLAG_SIGNED, KIND_BYTES, KIND_INTEGER, KIND_STRING, LOC_INDEXED, LOC_MEMORY, LOC_REGISTER,
    NO_ARG, Spec,
};

/// Registers by name, and where x86-64's `struct pt_regs` has them.
pub const REGISTERS: [(&str, u16); 16] = [
    ("rax", 80),
    ("rbx", 40),
    ("rcx", 88),
    ("rdx", 96),
    ("rsi", 104),
    ("rdi", 112),
    ("rbp", 32),
    ("rsp", 152),
    ("r8", 72),
    ("r9", 64),
    ("r10", 56),
    ("r11", 48),
    ("r12", 24),
    ("r13", 16),
    ("r14", 8),
    ("r15", 0),
];

/// The registers of a function's first six arguments, as `struct pt_regs` has them.
pub const ARGUMENTS: [u16; 6] = [112, 104, 96, 88, 72, 64];

/// A plain 64-bit argument in a register.
#[must_use]
pub fn register(base: u16) -> ArgSpec {
    ArgSpec {
        base,
        location: LOC_REGISTER,
        size: 8,
        kind: KIND_INTEGER,
        len_arg: NO_ARG,
        ..ArgSpec::default()
    }
}

/// Function argument `i`, an integer.
#[must_use]
pub fn integer(i: usize) -> ArgSpec {
    register(ARGUMENTS[i])
}

/// Function argument `i`, a pointer to a string.
#[must_use]
pub fn string(i: usize) -> ArgSpec {
    ArgSpec { kind: KIND_STRING, ..integer(i) }
}

/// Function argument `i`, a pointer to bytes; argument `len_arg` of the spec is their number.
#[must_use]
pub fn bytes(i: usize, len_arg: u8) -> ArgSpec {
    ArgSpec { kind: KIND_BYTES, len_arg, ..integer(i) }
}

/// In memory at a register plus `value`.
#[must_use]
pub fn memory(base: u16, value: i64) -> ArgSpec {
    ArgSpec { location: LOC_MEMORY, value, ..register(base) }
}

/// In memory at a register plus another that is scaled, plus `value`.
#[must_use]
pub fn indexed(base: u16, index: u16, scale: u8, value: i64) -> ArgSpec {
    ArgSpec { location: LOC_INDEXED, index, scale, ..memory(base, value) }
}

/// The same argument, narrower, with or without a sign.
#[must_use]
pub fn narrow(arg: ArgSpec, size: u8, signed: bool) -> ArgSpec {
    ArgSpec { size, flags: if signed { FLAG_SIGNED } else { 0 }, ..arg }
}

/// A spec of these arguments, all of them plain.
///
/// # Panics
/// When they are more than 12.
#[must_use]
pub fn spec(args: &[ArgSpec]) -> Spec {
    let mut spec = Spec { argc: u8::try_from(args.len()).unwrap_or(u8::MAX), ..Spec::default() };
    spec.args[..args.len()].copy_from_slice(args);
    spec
}
