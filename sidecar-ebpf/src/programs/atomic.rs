//! The atomic instructions that the programs need. `core::sync::atomic` has none of them for this target.

use core::arch::asm;

use sidecar_ebpf::boost::Atomics;

/// Adds `amount` to `*counter`, atomically, without an answer.
///
/// # Safety
/// `counter` points to an aligned u64 of a map value.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, amount: u64) {
    // SAFETY: the caller's promise; the verifier checks it again.
    unsafe {
        asm!("lock *(u64 *)({counter} + 0) += {amount}", counter = in(reg) counter, amount = in(reg) amount);
    }
}

/// Stores `new` in `*place` and gives what was there.
///
/// # Safety
/// `place` points to an aligned u64 of a map value.
#[inline(always)]
pub unsafe fn swap(place: *mut u64, new: u64) -> u64 {
    let mut value = new;
    // SAFETY: the caller's promise; the verifier checks it again.
    unsafe {
        asm!("{value} = xchg_64({place} + 0, {value})", place = in(reg) place, value = inout(reg) value);
    }
    value
}

/// BPF's own atomic instructions.
pub struct Bpf;

impl Atomics for Bpf {
    #[inline(always)]
    unsafe fn fetch_add(place: *mut u64, amount: u64) -> u64 {
        let mut value = amount;
        // SAFETY: the caller's promise; the verifier checks it again.
        unsafe {
            asm!(
                "{value} = atomic_fetch_add((u64 *)({place} + 0), {value})",
                place = in(reg) place,
                value = inout(reg) value
            );
        }
        value
    }

    #[inline(always)]
    unsafe fn compare_exchange(place: *mut u64, old: u64, new: u64) -> u64 {
        let seen;
        // SAFETY: as above. The instruction takes and gives r0.
        unsafe {
            asm!(
                "r0 = cmpxchg_64({place} + 0, r0, {new})",
                place = in(reg) place,
                new = in(reg) new,
                inout("r0") old => seen
            );
        }
        seen
    }

    #[inline(always)]
    unsafe fn load(place: *const u64) -> u64 {
        // SAFETY: as above; an aligned word is read whole.
        unsafe { place.read_volatile() }
    }

    #[inline(always)]
    unsafe fn store(place: *mut u64, value: u64) {
        // SAFETY: as above; an aligned word is written whole.
        unsafe { place.write_volatile(value) };
    }
}
