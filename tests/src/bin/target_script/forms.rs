//! A site with known values in all registers and in memory around some of them: the symbol `raw_forms_site`.
//!
//! At the site, in the order of `kernel::spec::REGISTERS`, register i holds 0xf1e2d3c4b5a69780 + i if i is even and
//! 0x0102030405060710 + i if it is odd, but r14 holds 3, r15 the address of the middle of a table, and rsp that of
//! 0x1122334455667788. Table entry i is 0x8182838485868700 + i; there are 8.

/// The table.
static TABLE: [u64; 8] = {
    let mut table = [0; 8];
    let mut i = 0;
    while i < table.len() {
        table[i] = 0x8182_8384_8586_8700 + i as u64;
        i += 1;
    }
    table
};

/// Runs over the site and gives the address of the table's middle.
pub(crate) fn fire() -> u64 {
    let middle = &raw const TABLE[4];
    site(middle);
    middle as u64
}

#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn site(middle: *const u64) {
    core::arch::naked_asm!(
        "push rbx
        push rbp
        push r12
        push r13
        push r14
        push r15
        mov r15, rdi
        mov r14d, 3
        movabs rax, 0x1122334455667788
        push rax
        movabs rax, 0xf1e2d3c4b5a69780
        movabs rbx, 0x0102030405060711
        movabs rcx, 0xf1e2d3c4b5a69782
        movabs rdx, 0x0102030405060713
        movabs rsi, 0xf1e2d3c4b5a69784
        movabs rdi, 0x0102030405060715
        movabs rbp, 0xf1e2d3c4b5a69786
        movabs r8,  0xf1e2d3c4b5a69788
        movabs r9,  0x0102030405060719
        movabs r10, 0xf1e2d3c4b5a6978a
        movabs r11, 0x010203040506071b
        movabs r12, 0xf1e2d3c4b5a6978c
        movabs r13, 0x010203040506071d
        .balign 16
        .globl raw_forms_site
        raw_forms_site:
        nop
        pop rax
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbp
        pop rbx
        ret"
    )
}

#[cfg(not(target_arch = "x86_64"))]
extern "C" fn site(_: *const u64) {}
