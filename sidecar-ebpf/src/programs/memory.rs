//! Reading the probed program's registers and memory.

use aya_ebpf::helpers::generated::{
    bpf_copy_from_user, bpf_loop, bpf_probe_read_kernel, bpf_probe_read_user,
};
use core::{arch::asm, ffi::c_void};
use sidecar_ebpf::eval::{Access, Found, Vector};

/// What was hit.
pub struct Site {
    /// The program's context: `struct pt_regs`.
    pub regs: *mut c_void,
    /// See [`Access::elapsed`]; [`UNKNOWN`] if it is not known.
    pub elapsed: u64,
}

/// The registers and the memory of the thread that hit the probe: one word, because a BPF subprogram takes five.
#[derive(Clone, Copy)]
pub struct Probed<'s>(pub &'s Site);

/// No time that a call takes.
pub const UNKNOWN: u64 = u64::MAX;

impl Access for Probed<'_> {
    #[inline(always)]
    fn register(&self, offset: u16) -> u64 {
        let mut value = 0u64;
        // The verifier allows only constant offsets into the context, so the register is read as memory:
        // the offset comes from the spec, which only the agent writes; a wrong one reads other kernel memory
        // of this thread's stack, never faults the machine.
        // SAFETY: dst is 8 bytes of this stack; the helper checks the source address.
        unsafe {
            bpf_probe_read_kernel(
                (&raw mut value).cast(),
                8,
                (self.0.regs as *const u8).wrapping_add(usize::from(offset)).cast(),
            );
        }
        value
    }

    #[inline(always)]
    fn memory(&self, address: u64, size: u8) -> Option<u64> {
        let mut value = 0u64;
        let size = at_most::<8>(u64::from(size)) as u32;
        // SAFETY: dst is 8 bytes of this stack and size is at most 8; the helper checks the source address.
        let result = unsafe { bpf_probe_read_user((&raw mut value).cast(), size, address as *const c_void) };
        (result == 0).then_some(value)
    }

    #[inline(always)]
    fn search(&self, vector: Vector) -> Found {
        let mut search = Search { vector, found: Found::default() };
        look_through(&mut search);
        search.found
    }

    #[inline(always)]
    fn elapsed(&self) -> Option<u64> {
        (self.0.elapsed != UNKNOWN).then_some(self.0.elapsed)
    }
}

/// A look through a vector, on the stack of who asks.
#[repr(C)]
struct Search {
    vector: Vector,
    found: Found,
}

/// Looks at one element after the other: a `bpf_loop`, so that the verifier sees it once. Inlined, because a frame more does
/// not fit into the 512 bytes of stack that kernels before 6.13 have for a held start.
#[inline(always)]
fn look_through(search: &mut Search) {
    // SAFETY: the callback has the signature that bpf_loop asks for, and search outlives the call.
    unsafe {
        bpf_loop(search.vector.looked_at(), look as *mut c_void, (&raw mut *search).cast(), 0);
    }
}

/// Looks at one element. Returns 0 to go on, 1 to stop.
extern "C" fn look(i: u32, search: *mut c_void) -> u64 {
    // SAFETY: the caller of the loop passes its own Search, which nobody else touches meanwhile.
    let search = unsafe { &mut *search.cast::<Search>() };
    let element = search.vector.begin.wrapping_add(u64::from(i).wrapping_mul(search.vector.size));
    let mut number = 0u32;
    // SAFETY: dst is 4 bytes of this stack; the helper checks the source address.
    let result = unsafe { bpf_probe_read_user((&raw mut number).cast(), 4, element as *const c_void) };
    u64::from(!search.found.look(element, (result == 0).then_some(u64::from(number))))
}

/// `value`, or `MOST` where it is more, compared in the very register that goes on. Left to itself the compiler compares a
/// copy, and a kernel before 6.8 learns nothing of one register from a comparison of another that was copied in 32 bits.
#[inline(always)]
pub fn at_most<const MOST: u64>(value: u64) -> u64 {
    let mut bounded = value;
    // SAFETY: two instructions on one register; the jump leads over the second.
    unsafe {
        asm!(
            "if {bounded} <= {most} goto +1",
            "{bounded} = {most}",
            bounded = inout(reg) bounded,
            most = const MOST,
            options(pure, nomem, nostack)
        );
    }
    bounded
}

/// Makes the pages present that a string of up to `max` bytes at `address` may lie on. Sleeps.
#[inline(always)]
pub fn fault_in(address: u64, max: u64) {
    let mut byte = 0u8;
    // SAFETY: dst is one byte of this stack; the helper checks the source address. Only sleepable programs
    // call this: the verifier refuses it elsewhere.
    unsafe {
        bpf_copy_from_user((&raw mut byte).cast(), 1, address as *const c_void);
        // No page is smaller than 4 KiB, and max is less, so that at most one boundary is crossed.
        let next = (address | 4095).wrapping_add(1);
        if next.wrapping_sub(address) < max {
            bpf_copy_from_user((&raw mut byte).cast(), 1, next as *const c_void);
        }
    }
}

/// The same value, of which the verifier knows nothing any more. All the ways that led to it are one from here on, where
/// each would else be verified to the end of the program.
#[inline(always)]
pub fn forget<T: Copy>(value: T) -> T {
    let mut copy = value;
    forget_there(&mut copy);
    copy
}

/// The same of what stays where it is.
#[inline(always)]
pub fn forget_there<T: Copy>(value: &mut T) {
    let at: *mut T = value;
    // SAFETY: it is on this stack, of this size, and is overwritten with itself.
    unsafe {
        bpf_probe_read_kernel(at.cast(), size_of::<T>() as u32, at.cast_const().cast::<c_void>());
    }
}
