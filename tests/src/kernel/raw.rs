//! Markers of the provider `raw`, which carry six words as they are: `hit`, `start` and `end`. Unlike those of
//! sidecar-markers they copy no string, so that pointers of any kind reach the kernel.

use std::sync::atomic::{AtomicU16, Ordering};

/// What the markers count their listeners in.
///
/// On a page of its own, because linkers that make a segment of their own for RELRO (lld, Rust's default) let it and the
/// data's segment share a page of the file. While a program is being mapped both are writable, and the kernel (6.18)
/// raises a semaphore that lies on such a page in the first one, where nobody looks.
#[repr(C, align(4096))]
struct Semaphores([AtomicU16; 3]);

#[cfg_attr(target_os = "linux", unsafe(link_section = ".probes"))]
static SEMAPHORES: Semaphores = Semaphores([const { AtomicU16::new(0) }; 3]);

/// Listeners of `hit`, `start` and `end`, as this process sees them.
#[must_use]
pub fn semaphores() -> [u16; 3] {
    let [hit, start, end] = &SEMAPHORES.0;
    [hit, start, end].map(|semaphore| semaphore.load(Ordering::Relaxed))
}

/// Defines a marker in the shape that sidecar-markers has: nops that are called, the first of 1 byte.
macro_rules! marker {
    ($name:ident, $index:literal) => {
        /// A marker: fires whether or not anybody listens.
        #[cfg(target_arch = "x86_64")]
        #[unsafe(naked)]
        pub extern "C" fn $name(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) {
            core::arch::naked_asm!(
                "990: nop
                .byte 0x0f, 0x1f, 0x44, 0x00, 0x00
                ret
                .balign 16
                .pushsection .note.stapsdt, \"R\", %note
                .balign 4
                .4byte 992f-991f, 994f-993f, 3
                991: .asciz \"stapsdt\"
                992: .balign 4
                993: .8byte 990b
                .8byte _.stapsdt.base
                .8byte {semaphores} + 2 * {index}
                .asciz \"raw\"",
                concat!(".asciz \"", stringify!($name), "\""),
                ".asciz \"8@%rdi 8@%rsi 8@%rdx 8@%rcx 8@%r8 8@%r9\"
                994: .balign 4
                .popsection
                .ifndef _.stapsdt.base
                .pushsection .stapsdt.base, \"aGR\", %progbits, .stapsdt.base, comdat
                .weak _.stapsdt.base
                .hidden _.stapsdt.base
                _.stapsdt.base: .space 1
                .size _.stapsdt.base, 1
                .popsection
                .endif",
                semaphores = sym SEMAPHORES,
                index = const $index,
            )
        }

        /// A marker that other processors than x86-64 do not have: the tests are skipped there.
        #[cfg(not(target_arch = "x86_64"))]
        pub extern "C" fn $name(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64) {}
    };
}

marker!(hit, 0);
marker!(start, 1);
marker!(end, 2);
