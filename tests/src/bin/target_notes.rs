//! A program with 4,000 sites of one marker, `many:site`. It runs over none of them and sleeps until it is ended.

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.notes, \"ax\", @progbits
    .rept 4000
    .balign 16
    990: nop
    ret
    .pushsection .note.stapsdt, \"R\", %note
    .balign 4
    .4byte 992f-991f, 994f-993f, 3
    991: .asciz \"stapsdt\"
    992: .balign 4
    993: .8byte 990b
    .8byte _.stapsdt.base
    .8byte 0
    .asciz \"many\"
    .asciz \"site\"
    .asciz \"8@%rdi\"
    994: .balign 4
    .popsection
    .endr
    .popsection
    .ifndef _.stapsdt.base
    .pushsection .stapsdt.base, \"aGR\", %progbits, .stapsdt.base, comdat
    .weak _.stapsdt.base
    .hidden _.stapsdt.base
    _.stapsdt.base: .space 1
    .size _.stapsdt.base, 1
    .popsection
    .endif"
);

fn main() {
    loop {
        std::thread::park();
    }
}
