//! A program with 10,000 sites: the symbol `first_site`, and one every 16 bytes; all are sites of the marker
//! `sites:site`, with one semaphore. On the line `all` it runs over each of them once; on `sync` it prints `ok`.

/// On a page of its own, for the reason that `sidecar_tests::kernel::raw` gives.
#[cfg(target_arch = "x86_64")]
#[repr(C, align(4096))]
struct Semaphore(std::sync::atomic::AtomicU16);

#[cfg(target_arch = "x86_64")]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".probes"))]
static SEMAPHORE: Semaphore = Semaphore(std::sync::atomic::AtomicU16::new(0));

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.sites, \"ax\", @progbits
    .balign 16
    .globl first_site
    first_site:
    .rept 10000
    990: nop
    ret
    .balign 16
    .pushsection .note.stapsdt, \"R\", @note
    .balign 4
    .4byte 992f-991f, 994f-993f, 3
    991: .asciz \"stapsdt\"
    992: .balign 4
    993: .8byte 990b
    .8byte _.stapsdt.base
    .8byte {semaphore}
    .asciz \"sites\"
    .asciz \"site\"
    .asciz \"8@%rdi\"
    994: .balign 4
    .popsection
    .endr
    .popsection
    .ifndef _.stapsdt.base
    .pushsection .stapsdt.base, \"aGR\", @progbits, .stapsdt.base, comdat
    .weak _.stapsdt.base
    .hidden _.stapsdt.base
    _.stapsdt.base: .space 1
    .size _.stapsdt.base, 1
    .popsection
    .endif",
    semaphore = sym SEMAPHORE,
);

#[cfg(target_arch = "x86_64")]
fn all() {
    unsafe extern "C" {
        fn first_site();
    }
    for i in 0..10_000 {
        // SAFETY: each of the 10,000 functions, 16 bytes apart, does nothing and returns.
        unsafe {
            let site = (first_site as *const u8).add(16 * i);
            std::mem::transmute::<*const u8, extern "C" fn()>(site)();
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn all() {}

fn main() -> anyhow::Result<()> {
    println!("ready");
    for line in std::io::stdin().lines() {
        match line?.as_str() {
            "all" => all(),
            "sync" => println!("ok"),
            other => anyhow::bail!("`{other}` is not understood"),
        }
    }
    Ok(())
}
