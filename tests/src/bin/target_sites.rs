//! A program with 10,000 sites: the symbol `first_site`, and one every 16 bytes. On the line `all` it runs over each
//! of them once; on `sync` it prints `ok`.

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.sites, \"ax\", @progbits
    .balign 16
    .globl first_site
    first_site:
    .rept 10000
    .byte 0x0f, 0x1f, 0x44, 0x00, 0x00
    ret
    .balign 16
    .endr
    .popsection"
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
