//! The key by which a test is sampled, and text from the program's memory.

use aya_ebpf::helpers::generated::bpf_probe_read_user_str;
use core::ffi::c_void;
use sidecar_common::{ArgSpec, FNV_OFFSET, KIND_INTEGER, MAX_ARGS, Spec, fnv1a_step, mix};
use sidecar_ebpf::eval::value;

use super::memory::{Probed, fault_in};

/// Longest part of a test id that the kernel hashes, in bytes.
const HASHED_ID: usize = 192;

/// The argument at a position that the spec names.
#[inline(always)]
pub fn argument(spec: &Spec, position: u8) -> Option<&ArgSpec> {
    if (position as usize) < MAX_ARGS { Some(&spec.args[position as usize]) } else { None }
}

/// The key that the marker passes, or else a hash of the test's id; 0 if there is neither.
#[inline(always)]
pub fn of_test<const SLEEPABLE: bool>(regs: Probed<'_>, spec: &Spec) -> u64 {
    let key = match argument(spec, spec.key_arg) {
        Some(arg) => value(arg, &regs).unwrap_or(0),
        None => 0,
    };
    if key != 0 { key } else { hashed_id::<SLEEPABLE>(regs, spec) }
}

/// The hash of the test's id, or 0.
#[inline(never)]
fn hashed_id<const SLEEPABLE: bool>(regs: Probed<'_>, spec: &Spec) -> u64 {
    let (arg, found) = match argument(spec, spec.id_arg).map(|arg| (arg, value(arg, &regs))) {
        Some((arg, Ok(found))) if arg.kind == KIND_INTEGER || found != 0 => (arg, found),
        _ => return 0,
    };
    let mut hash = FNV_OFFSET ^ spec.seed;
    if arg.kind == KIND_INTEGER {
        return mix(hash ^ found);
    }
    let mut text = [0u8; HASHED_ID];
    if !read_text::<SLEEPABLE, HASHED_ID>(&mut text, found) {
        return 0;
    }
    let mut i = 0;
    while i < HASHED_ID {
        if text[i] == 0 {
            break;
        }
        hash = fnv1a_step(hash, text[i]);
        i += 1;
    }
    hash
}

/// Reads a string, as much as there is room for; a program that may sleep makes its pages present first where they
/// are not.
#[inline(always)]
pub fn read_text<const SLEEPABLE: bool, const LEN: usize>(text: &mut [u8; LEN], address: u64) -> bool {
    let mut read = || {
        // SAFETY: dst is this stack's array of the size given; the helper checks the source address.
        unsafe { bpf_probe_read_user_str(text.as_mut_ptr().cast(), LEN as u32, address as *const c_void) > 0 }
    };
    if read() {
        return true;
    }
    if !SLEEPABLE {
        return false;
    }
    fault_in(address, LEN as u64);
    read()
}
