//! What an instruction is to a probe: how long it is, and what the kernel does in its place.
//!
//! The kernel's rules are those of `arch/x86/kernel/uprobes.c` and `arch/arm64/kernel/probes`; for x86-64 Linux 6.18
//! was asked about each opcode. Emulated are only forms that every supported kernel emulates.

use iced_x86::{Decoder, DecoderOptions, Mnemonic};

use super::super::Arch;

/// Longest x86-64 instruction.
pub(super) const LONGEST: u64 = 15;

/// What the kernel does with a probed instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It does what the instruction would have done.
    Emulated,
    /// It runs a copy, and traps again behind it.
    Stepped,
    /// Also stepped, but the instruction does nothing that a function needs: one may attach behind it.
    Idle,
    /// No probe may be here: some kernels rewrite it in a way that is not safe. One may attach behind it.
    Rewritten,
    /// The kernel puts no probe here.
    Refused,
}

/// Length and kind of the first instruction, if it is one.
pub(super) fn first(arch: Arch, bytes: &[u8]) -> Option<(usize, Kind)> {
    match arch {
        Arch::X86_64 => x86_64(bytes),
        Arch::Aarch64 => Some((4, aarch64(u32::from_le_bytes(*bytes.first_chunk()?)))),
    }
}

/// Whether an instruction begins `distance` bytes behind the first one. None if a byte before it is no code.
pub(super) fn is_boundary(arch: Arch, bytes: &[u8], distance: usize) -> Option<bool> {
    match arch {
        Arch::Aarch64 => Some(distance.is_multiple_of(4)),
        Arch::X86_64 => {
            let mut decoder = Decoder::new(64, bytes, DecoderOptions::NONE);
            while decoder.position() < distance {
                if decoder.decode().is_invalid() {
                    return None;
                }
            }
            Some(decoder.position() == distance)
        }
    }
}

fn x86_64(bytes: &[u8]) -> Option<(usize, Kind)> {
    let mut decoder = Decoder::new(64, bytes, DecoderOptions::NONE);
    let instruction = decoder.decode();
    if instruction.is_invalid() {
        return None;
    }
    let len = instruction.len();
    let bytes = bytes.get(..len)?;
    let prefixes = bytes.iter().take_while(|byte| is_prefix(**byte)).count();
    let (prefixes, rest) = bytes.split_at_checked(prefixes)?;
    if prefixes.iter().any(|byte| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0xf0)) {
        return Some((len, Kind::Refused));
    }
    let (rex, opcode) = match rest {
        [rex @ 0x40..=0x4f, opcode @ ..] => (Some(*rex), opcode),
        opcode => (None, opcode),
    };
    let short = prefixes.contains(&0x66);
    let kind = match opcode {
        _ if instruction.mnemonic() == Mnemonic::Endbr64 => Kind::Idle,
        // A call or a jump of 16 bits.
        [0xe8 | 0xe9 | 0xeb | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] if short => Kind::Refused,
        [0xe8 | 0xe9 | 0xeb | 0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] => Kind::Emulated,
        // REX.B makes an exchange of registers of it.
        [0x90] if rex.is_none_or(|rex| rex & 1 == 0) => Kind::Emulated,
        [0x50..=0x57] if prefixes.is_empty() && matches!(rex, None | Some(0x41)) => Kind::Emulated,
        _ if instruction.mnemonic() == Mnemonic::Nop && len == 5 => Kind::Rewritten,
        _ if instruction.mnemonic() == Mnemonic::Nop => Kind::Idle,
        // Traps, ports, interrupts, and what hides the next trap.
        [0xcc | 0xcd | 0xcf | 0x6c..=0x6f | 0xe4..=0xe7 | 0xec..=0xef | 0xf1 | 0xf4 | 0xfa | 0xfb, ..] => {
            Kind::Refused
        }
        [0x8e, modrm, ..] if modrm >> 3 & 7 == 2 => Kind::Refused,
        // The kernel looks a vector instruction's opcode up among those of one byte.
        [0xc5, _, opcode, ..] | [0xc4, _, _, opcode, ..] | [0x62, _, _, _, opcode, ..]
            if !is_good(*opcode) =>
        {
            Kind::Refused
        }
        _ => Kind::Stepped,
    };
    Some((len, kind))
}

/// Whether the kernel's table of opcodes of one byte, which is for 64-bit programs, has this one.
const fn is_good(opcode: u8) -> bool {
    !matches!(
        opcode,
        0x06 | 0x07 | 0x0e | 0x16 | 0x17 | 0x1e | 0x1f | 0x26 | 0x27 | 0x2e | 0x2f | 0x36 | 0x37 | 0x3e | 0x3f
            | 0x60..=0x62 | 0x6c..=0x6f | 0x82 | 0x9a | 0xcc..=0xcf | 0xd4..=0xd6 | 0xe4..=0xe7
            | 0xea | 0xec..=0xef | 0xf1 | 0xf4 | 0xfa | 0xfb
    )
}

const fn is_prefix(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
}

/// Kind of an aarch64 instruction.
const fn aarch64(word: u32) -> Kind {
    match word {
        // bti, in its four forms.
        0xd503_241f | 0xd503_245f | 0xd503_249f | 0xd503_24df => Kind::Idle,
        // nop: before Linux 6.13 the kernel steps it.
        0xd503_201f => Kind::Idle,
        // Exceptions (svc, brk, hlt, ...), and exclusive loads and stores.
        _ if word >> 24 == 0xd4 || word & 0x3f00_0000 == 0x0800_0000 => Kind::Refused,
        // b, bl; b.cond; cbz, cbnz, tbz, tbnz; br, blr, ret; adr, adrp.
        _ if word & 0x7c00_0000 == 0x1400_0000
            || word & 0xff00_0010 == 0x5400_0000
            || word & 0x7c00_0000 == 0x3400_0000
            || matches!(word & 0xffff_fc1f, 0xd61f_0000 | 0xd63f_0000 | 0xd65f_0000)
            || word & 0x1f00_0000 == 0x1000_0000 =>
        {
            Kind::Emulated
        }
        // Loads of literals.
        _ if word & 0x3b00_0000 == 0x1800_0000 => Kind::Stepped,
        _ => Kind::Stepped,
    }
}
