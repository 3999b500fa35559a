//! The markers themselves: one function, one semaphore and one stapsdt note each. Uses `core` only.
//!
//! A marker is a naked function, so it is called by the C ABI and its arguments are where the note says,
//! whatever the optimiser does, and nothing lives below the stack pointer at the probed address.
//!
//! On x86-64 the function is three nops, of 1, 5 (`0f 1f 44 00 00`) and 10 bytes (`66 2e 0f 1f 84 00 00 00 00 00`),
//! then `ret`, aligned to 16. The note names the 1-byte nop, which every kernel emulates. Linux 6.18 turns a probed
//! 5-byte nop into a call into a page that it does not give to forked children, so that a child of a program that has
//! fired the marker once dies of SIGSEGV when it fires it itself. A tracer that wants the faster trap where that can't
//! be takes the note's address + 1 (system call 336 answers `ENXIO`), or + 6 where the kernel wants the 10-byte nop
//! (`EPROTO`), after comparing the bytes there. On aarch64 it is `nop; ret`.
//!
//! The note carries the R flag (SHF_GNU_RETAIN), so that `--gc-sections` keeps it, and with it the
//! function, the semaphore and the base that it refers to, in every linker.

use core::ffi::{c_char, c_void};
use core::sync::atomic::AtomicU16;

/// Whether this target has markers: elsewhere every marker is permanently off.
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
macro_rules! supported {
    ($yes:item else $no:item) => {
        $yes
    };
}
/// Whether this target has markers: elsewhere every marker is permanently off.
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
macro_rules! supported {
    ($yes:item else $no:item) => {
        $no
    };
}

/// The body of a marker function. The closing `.balign` makes the function's section 16-aligned: the kernel
/// rewrites a nop only where it does not cross a page.
#[cfg(all(target_os = "linux", target_pointer_width = "64", target_arch = "x86_64"))]
macro_rules! body {
    () => {
        ".cfi_startproc
        990: nop
        .byte 0x0f, 0x1f, 0x44, 0x00, 0x00
        .byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00
        ret
        .cfi_endproc
        .balign 16"
    };
}
/// The body of a marker function.
#[cfg(all(target_os = "linux", target_pointer_width = "64", target_arch = "aarch64"))]
macro_rules! body {
    () => {
        ".cfi_startproc
        990: nop
        ret
        .cfi_endproc"
    };
}

/// The note's argument string for the processor that is compiled for.
#[cfg(all(target_os = "linux", target_pointer_width = "64", target_arch = "x86_64"))]
macro_rules! places {
    ($x86_64:literal, $aarch64:literal) => {
        $x86_64
    };
}
/// The note's argument string for the processor that is compiled for.
#[cfg(all(target_os = "linux", target_pointer_width = "64", target_arch = "aarch64"))]
macro_rules! places {
    ($x86_64:literal, $aarch64:literal) => {
        $aarch64
    };
}

/// What the markers count their listeners in, by their numbers; the kernel raises and lowers it for each process.
///
/// On a page of its own, because linkers that make a segment of their own for RELRO (lld, Rust's default) let it and the
/// segment of the data share a page of the file. While a program is being mapped both are writable, and the kernel (6.18)
/// raises a semaphore that lies on such a page in the first one, where nobody looks.
#[repr(C, align(4096))]
pub(crate) struct Semaphores(pub(crate) [AtomicU16; 4]);

#[cfg_attr(target_os = "linux", unsafe(link_section = ".probes"))]
#[used]
pub(crate) static SEMAPHORES: Semaphores = Semaphores([const { AtomicU16::new(0) }; 4]);

/// Defines a marker. The note's format: <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>.
macro_rules! marker {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*), $index:literal, $x86_64:literal, $aarch64:literal) => {
        supported! {
            $(#[$doc])*
            #[unsafe(naked)]
            pub(crate) extern "C" fn $name($($arg: $type),*) {
                core::arch::naked_asm!(
                    body!(),
                    ".pushsection .note.stapsdt, \"R\", %note
                    .balign 4
                    .4byte 992f-991f, 994f-993f, 3
                    991: .asciz \"stapsdt\"
                    992: .balign 4
                    993: .8byte 990b
                    .8byte _.stapsdt.base
                    .8byte {semaphores} + 2 * {index}
                    .asciz \"sidecar\"",
                    concat!(".asciz \"", stringify!($name), "\""),
                    concat!(".asciz \"", places!($x86_64, $aarch64), "\""),
                    "994: .balign 4
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
            else
            $(#[$doc])*
            pub(crate) extern "C" fn $name($(_: $type),*) {}
        }
    };
}

marker! {
    /// A test, or an attempt of it, starts.
    test_start(
        key: u64,
        test_id: *const c_char,
        run_id: *const c_char,
        suite: *const c_char,
        attempt: u32
    ),
    0,
    "8@%rdi 8@%rsi 8@%rdx 8@%rcx 4@%r8d",
    "8@x0 8@x1 8@x2 8@x3 4@x4"
}

marker! {
    /// A test, or an attempt of it, ends.
    test_end(
        key: u64,
        test_id: *const c_char,
        status: u32,
        duration_ns: u64,
        message: *const c_char,
        attempt: u32
    ),
    1,
    "8@%rdi 8@%rsi 4@%edx 8@%rcx 8@%r8 4@%r9d",
    "8@x0 8@x1 4@x2 8@x3 8@x4 4@x5"
}

marker! {
    /// Something of the program's own happened.
    event(
        key: u64,
        event_type: *const c_char,
        test_id: *const c_char,
        run_id: *const c_char,
        data: *const c_void,
        data_len: u64
    ),
    2,
    "8@%rdi 8@%rsi 8@%rdx 8@%rcx 8@%r8 8@%r9",
    "8@x0 8@x1 8@x2 8@x3 8@x4 8@x5"
}

marker! {
    /// The program saw something abnormal.
    anomaly(signal: *const c_char, kind: *const c_char),
    3,
    "8@%rdi 8@%rsi",
    "8@x0 8@x1"
}
