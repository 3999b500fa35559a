//! The two atomic instructions that the programs need. `core::sync::atomic` has neither for this target.

use core::arch::asm;

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
