//! Argument texts of real programs and of nobody.

use proptest::prelude::*;
use sidecar_common::MAX_ARGS;

use super::parse;
use crate::elf::Arch;
use crate::spec::{ArgPlace, Place, Symbols, parse_args};

fn reg(base: u16) -> Place {
    Place::Register { base }
}

fn mem(base: u16, displacement: i64) -> Place {
    Place::Memory { base, displacement }
}

fn indexed(base: u16, index: u16, scale: u8, displacement: i64) -> Place {
    Place::Indexed { base, index, scale, displacement }
}

fn arg(size: u8, signed: bool, place: Place) -> ArgPlace {
    ArgPlace { place, size, signed }
}

#[test]
fn arguments_of_real_x86_64_programs() {
    let real: [(&str, Vec<ArgPlace>); 13] = [
        // libstdc++
        ("8@%rdx 8@-80(%rbp)", vec![arg(8, false, reg(96)), arg(8, false, mem(32, -80))]),
        ("8@%rdi 8@%rsi", vec![arg(8, false, reg(112)), arg(8, false, reg(104))]),
        // python3
        (
            "8@%rbp 8@%r12 -4@%eax",
            vec![arg(8, false, reg(32)), arg(8, false, reg(24)), arg(4, true, reg(80))],
        ),
        ("-8@%r12", vec![arg(8, true, reg(24))]),
        ("-4@112(%rsp)", vec![arg(4, true, mem(152, 112))]),
        // cargo-nextest
        (
            "8@%rdi 8@%rsi 8@%rdx 8@%rcx 4@%r8d",
            [112, 104, 96, 88]
                .map(|base| arg(8, false, reg(base)))
                .into_iter()
                .chain([arg(4, false, reg(72))])
                .collect(),
        ),
        ("8@%r9", vec![arg(8, false, reg(64))]),
        // OpenJDK
        (
            "8@%r13 8@-104(%rbp) -1@%r15b 2@%r14w",
            vec![
                arg(8, false, reg(16)),
                arg(8, false, mem(32, -104)),
                arg(1, true, reg(0)),
                arg(2, false, reg(8)),
            ],
        ),
        ("-4@$-1 1@%r12b", vec![arg(4, true, Place::Constant(-1)), arg(1, false, reg(24))]),
        ("1@%dil -4@$1572864", vec![arg(1, false, reg(112)), arg(4, true, Place::Constant(1_572_864))]),
        // PostgreSQL
        ("4@0(%r13) 1@14(%r12)", vec![arg(4, false, mem(16, 0)), arg(1, false, mem(24, 14))]),
        ("4@(%r12)", vec![arg(4, false, mem(24, 0))]),
        ("", vec![]),
    ];
    for (text, expected) in real {
        assert_eq!(parse(text, Arch::X86_64), expected, "{text}");
    }
}

#[test]
fn every_x86_64_operand_form() {
    for (text, expected) in [
        ("8@(%rax,%rbx,8)", indexed(80, 40, 3, 0)),
        ("8@-16(%rax,%rbx,4)", indexed(80, 40, 2, -16)),
        ("8@16(%rax,%rbx,2)", indexed(80, 40, 1, 16)),
        ("8@(%rax,%rbx)", indexed(80, 40, 0, 0)),
        ("8@8(%rax, %rbx, 1)", indexed(80, 40, 0, 8)),
        ("8@(,%rbx,1)", mem(40, 0)),
        ("8@24(,%rbx,2)", indexed(40, 40, 0, 24)),
        ("8@16(%rip)", mem(128, 16)),
        ("8@4+8(%rsp)", mem(152, 12)),
        ("8@-0x10(%rbp)", mem(32, -16)),
        ("8@$0xff", Place::Constant(255)),
        ("8@$18446744073709551615", Place::Constant(-1)),
        ("8@%rip", reg(128)),
        ("%rdi", reg(112)),
        ("$5", Place::Constant(5)),
        ("-8(%rbp)", mem(32, -8)),
    ] {
        let args = parse(text, Arch::X86_64);
        assert_eq!(args, [arg(8, false, expected)], "{text}");
    }
}

#[test]
fn each_name_of_each_x86_64_register_is_known() {
    let order = [
        ("r15 r15d r15w r15b", 0),
        ("r14 r14d r14w r14b", 8),
        ("r13 r13d r13w r13b", 16),
        ("r12 r12d r12w r12b", 24),
        ("rbp ebp bp bpl", 32),
        ("rbx ebx bx bl", 40),
        ("r11 r11d r11w r11b", 48),
        ("r10 r10d r10w r10b", 56),
        ("r9 r9d r9w r9b", 64),
        ("r8 r8d r8w r8b", 72),
        ("rax eax ax al", 80),
        ("rcx ecx cx cl", 88),
        ("rdx edx dx dl", 96),
        ("rsi esi si sil", 104),
        ("rdi edi di dil", 112),
        ("rip", 128),
        ("rsp esp sp spl", 152),
    ];
    for (names, offset) in order {
        for name in names.split(' ') {
            assert_eq!(parse(&format!("4@%{name}"), Arch::X86_64), [arg(4, false, reg(offset))], "{name}");
        }
    }
}

#[test]
fn an_argument_that_is_not_understood_is_unread_and_the_others_work() {
    for (text, why) in [
        ("8@%xmm0", "vector register"),
        ("8f@%rax", "floating point"),
        ("-4f@%xmm1", "floating point"),
        ("1@%ah", "second byte"),
        ("8@%fs:-8", "segment"),
        ("8@%fs:x@tpoff", "segment"),
        ("8@%gs:40(%rax)", "segment"),
        ("16@%rax", "16 bytes"),
        ("0@%rax", "0 bytes"),
        ("99999999999999999999@%rax", "no operand"),
        ("8@x(%rip)", "not looked up"),
        ("8@x@GOTPCREL(%rip)", "not understood"),
        ("x@GOTPCREL(%rip)", "not understood"),
        ("8@x(,%rax,8)", "absolute address"),
        ("8@$x", "not a number"),
        ("8@x", "no operand"),
        ("8@$", "not a number"),
        ("8@", "no operand"),
        ("@", "no operand"),
        ("8@%", "not a register"),
        ("8@%rzx", "not known"),
        ("8@(,%rbx,8)", "without another"),
        ("8@(%rax,%rbx,3)", "scale"),
        ("8@(%rax,%rbx,1,1)", "too many parts"),
        ("8@(%rax,%rsp,1)", "index register"),
        ("8@(%eax)", "part of a register"),
        ("8@()", "names no register"),
        ("8@(%rax", "no operand"),
        ("8@a+b(%rax)", "displacement"),
    ] {
        let args = parse(&format!("4@%edi {text} -2@8(%rsi)"), Arch::X86_64);
        assert_eq!(args.len(), 3, "{text}: {args:?}");
        assert_eq!((&args[0], &args[2]), (&arg(4, false, reg(112)), &arg(2, true, mem(104, 8))), "{text}");
        let Place::Unread { why: said } = &args[1].place else { panic!("{text} is read: {args:?}") };
        assert!(said.contains(why), "{text}: {said} should say: {why}");
    }
}

#[test]
fn memory_at_a_symbol_is_found_through_the_site() {
    let symbols = |name: &str| (name == "CheckpointStats").then_some(0x5000);
    let lookup: Option<Symbols<'_>> = Some(&symbols);
    let text = "-4@40+CheckpointStats(%rip) -4@CheckpointStats-4(%rip) 4@other(%rip)";
    let args = parse_args(text, Arch::X86_64, 0x7000, lookup);
    assert_eq!(args[0], arg(4, true, mem(128, 40 - 0x2000)));
    assert_eq!(args[1], arg(4, true, mem(128, -4 - 0x2000)));
    assert_eq!(args[2].place, Place::unread("it is at the symbol other, which the file does not name"));
}

#[test]
fn every_aarch64_operand_form() {
    for (text, expected) in [
        ("8@x0", reg(0)),
        ("8@x30", reg(240)),
        ("8@w4", reg(32)),
        ("8@sp", reg(248)),
        ("8@lr", reg(240)),
        ("8@fp", reg(232)),
        ("8@5", Place::Constant(5)),
        ("8@-5", Place::Constant(-5)),
        ("8@#7", Place::Constant(7)),
        ("8@xzr", Place::Constant(0)),
        ("8@wzr", Place::Constant(0)),
        ("8@[sp]", mem(248, 0)),
        ("8@[sp, 96]", mem(248, 96)),
        ("8@[sp,#96]", mem(248, 96)),
        ("8@[x29, -16]", mem(232, -16)),
        ("8@[x0, x1]", indexed(0, 8, 0, 0)),
        ("8@[x0, x1, lsl 3]", indexed(0, 8, 3, 0)),
        ("8@[x0, x1, lsl #2]", indexed(0, 8, 2, 0)),
        ("8@[x0, xzr]", mem(0, 0)),
        ("x4", reg(32)),
        ("[sp, 8]", mem(248, 8)),
    ] {
        assert_eq!(parse(text, Arch::Aarch64), [arg(8, false, expected)], "{text}");
    }
    let args = parse("-4@5 8@[sp, 96] 1@w4 -8@[x0, x1, lsl 3] 2@[x2]", Arch::Aarch64);
    let expected = [
        arg(4, true, Place::Constant(5)),
        arg(8, false, mem(248, 96)),
        arg(1, false, reg(32)),
        arg(8, true, indexed(0, 8, 3, 0)),
        arg(2, false, mem(16, 0)),
    ];
    assert_eq!(args, expected);
}

#[test]
fn aarch64_operands_that_are_not_understood_are_unread_and_the_others_work() {
    for (text, why) in [
        ("8@d0", "vector register"),
        ("8@[x0, w1, sxtw 2]", "can't be expressed"),
        ("8@[x0, w1, uxtw]", "can't be expressed"),
        ("8@[x0, w1]", "whole register"),
        ("8@[x0, sp]", "whole register"),
        ("8@[w0]", "whole register"),
        ("8@[xzr]", "whole register"),
        ("8@[x0, x1, lsl 4]", "can't be expressed"),
        ("8@[x0, 8]!", "no address"),
        ("8@[x0, :lo12:x]", "no operand"),
        ("8@[x0, 1, 2, 3]", "too many parts"),
        ("8@[x0, 8, lsl 3]", "no operand"),
        ("8@x31", "no operand"),
        ("8@x007", "no operand"),
        ("8@[sp, 96", "no address"),
        ("8@%rdi", "no operand"),
        ("8@\u{e4}0", "no operand"),
    ] {
        let args = parse(&format!("4@w0 {text} -2@[sp, 8]"), Arch::Aarch64);
        assert_eq!(args.len(), 3, "{text}: {args:?}");
        assert_eq!((&args[0], &args[2]), (&arg(4, false, reg(0)), &arg(2, true, mem(248, 8))), "{text}");
        let Place::Unread { why: said } = &args[1].place else { panic!("{text} is read: {args:?}") };
        assert!(said.contains(why), "{text}: {said} should say: {why}");
    }
}

#[test]
fn arguments_past_the_twelfth_are_left_out() {
    assert_eq!(parse(&"4@%eax ".repeat(40), Arch::X86_64).len(), MAX_ARGS);
    assert_eq!(parse("  4@%eax \t 4@%ebx  ", Arch::X86_64).len(), 2);
}

proptest! {
    #[test]
    fn any_text_gives_at_most_twelve_arguments(text in any::<String>(), arm: bool) {
        let arch = if arm { Arch::Aarch64 } else { Arch::X86_64 };
        prop_assert!(parse(&text, arch).len() <= MAX_ARGS);
    }
}
