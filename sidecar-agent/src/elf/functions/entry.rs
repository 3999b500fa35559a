//! Where to attach in a function, and what a hit costs there.

use super::super::Arch;
use super::instruction::{Kind, LONGEST, first};

/// Where to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// File offset of the probe; after `endbr64` (`bti`) when what follows is cheap.
    pub offset: u64,
    /// What a hit costs there.
    pub cost: EntryCost,
}

/// What the kernel does at a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryCost {
    /// It emulates the instruction.
    Emulated,
    /// It steps over a copy of the instruction, with a second trap.
    SingleStepped,
}

impl EntryCost {
    /// Nanoseconds that one hit takes, about: measured with an empty program on one x86-64 machine, Linux 6.18.
    #[must_use]
    pub const fn nanoseconds(self) -> u32 {
        match self {
            Self::Emulated => 1_000,
            Self::SingleStepped => 12_000,
        }
    }
}

/// Bytes that are looked at: what may be passed over, and what follows it.
pub(super) const LOOKED_AT: u64 = LONGEST * (PASSED_OVER as u64 + 1);
/// Most instructions that are passed over.
const PASSED_OVER: usize = 2;

/// Where to attach in a function of which these are the first bytes, at a file offset.
pub(super) fn entry(arch: Arch, bytes: &[u8], offset: u64) -> Result<Entry, &'static str> {
    let undecodable = "its first bytes are no instruction";
    let mut at = 0;
    let mut here: Option<Entry> = None;
    for _ in 0..=PASSED_OVER {
        let Some((len, kind)) = bytes.get(at..).and_then(|rest| first(arch, rest)) else {
            return here.ok_or(undecodable);
        };
        let place = |cost| Entry { offset: offset.saturating_add(at as u64), cost };
        match kind {
            Kind::Emulated => return Ok(place(EntryCost::Emulated)),
            Kind::Stepped => return Ok(here.unwrap_or(place(EntryCost::SingleStepped))),
            Kind::Refused => return here.ok_or("the kernel puts no probe on its first instruction"),
            Kind::Idle => here = here.or(Some(place(EntryCost::SingleStepped))),
            Kind::Rewritten => {}
        }
        at += len;
    }
    here.ok_or("it begins with instructions that are not safe to probe on every kernel")
}

/// What a hit costs at an instruction, or why no probe can be there.
pub(super) fn cost(arch: Arch, bytes: &[u8]) -> Result<EntryCost, &'static str> {
    match first(arch, bytes).ok_or("what is there is no instruction")?.1 {
        Kind::Emulated => Ok(EntryCost::Emulated),
        Kind::Stepped | Kind::Idle => Ok(EntryCost::SingleStepped),
        Kind::Rewritten => {
            Err("a 5-byte nop: no probe is put there where the kernel rewrites it (Linux 6.18)")
        }
        Kind::Refused => Err("the kernel puts no probe on this instruction"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(arch: Arch, bytes: &[u8]) -> Result<(u64, EntryCost), &'static str> {
        entry(arch, bytes, 0x1000).map(|entry| (entry.offset - 0x1000, entry.cost))
    }

    fn x86(bytes: &[u8]) -> Result<(u64, EntryCost), &'static str> {
        at(Arch::X86_64, bytes)
    }

    const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
    const NOP5: [u8; 5] = [0x0f, 0x1f, 0x44, 0x00, 0x00];

    #[test]
    fn what_the_kernel_emulates_is_cheap() {
        for bytes in [
            &[0x55][..],               // push %rbp
            &[0x41, 0x57],             // push %r15
            &[0x90],                   // nop
            &[0x66, 0x90],             // nop
            &[0xe8, 1, 0, 0, 0],       // call
            &[0xe9, 1, 0, 0, 0],       // jmp
            &[0xeb, 1],                // jmp
            &[0x74, 1],                // je
            &[0x0f, 0x84, 1, 0, 0, 0], // je
            &[0xf2, 0xe9, 1, 0, 0, 0], // bnd jmp
        ] {
            assert_eq!(x86(bytes), Ok((0, EntryCost::Emulated)), "{bytes:x?}");
        }
    }

    #[test]
    fn what_the_kernel_steps_is_not() {
        for bytes in [
            &[0x48, 0x83, 0xec, 8][..],      // sub $8, %rsp
            &[0x48, 0x89, 0xe5],             // mov %rsp, %rbp
            &[0x31, 0xc0],                   // xor %eax, %eax
            &[0xc3],                         // ret
            &[0x41, 0x90],                   // xchg %eax, %r8d
            &[0x48, 0x55],                   // push with a REX that the kernel does not know
            &[0xff, 0x25, 1, 0, 0, 0],       // jmp *1(%rip)
            &[0x0f, 0x0b],                   // ud2
            &[0xc4, 0xe2, 0x7d, 0x78, 0xc0], // vpbroadcastb %xmm0, %ymm0
            &[0xc5, 0xf8, 0x77],             // vzeroupper
        ] {
            assert_eq!(x86(bytes), Ok((0, EntryCost::SingleStepped)), "{bytes:x?}");
        }
    }

    #[test]
    fn the_probe_goes_behind_endbr64_if_that_is_cheaper() {
        let then = |rest: &[u8]| x86(&[&ENDBR64, rest].concat());
        assert_eq!(then(&[0x55]), Ok((4, EntryCost::Emulated)));
        assert_eq!(then(&[0x48, 0x83, 0xec, 8]), Ok((0, EntryCost::SingleStepped)));
        assert_eq!(then(&[0xf0, 0x48, 0x0f, 0xb1, 0x0e]), Ok((0, EntryCost::SingleStepped)));
        assert_eq!(then(&[]), Ok((0, EntryCost::SingleStepped)));
        assert_eq!(then(&[0x06]), Ok((0, EntryCost::SingleStepped)), "no instruction follows");
    }

    #[test]
    fn no_probe_is_put_on_a_nop_that_some_kernels_rewrite() {
        assert_eq!(x86(&[&NOP5[..], &[0x55]].concat()), Ok((5, EntryCost::Emulated)));
        assert_eq!(x86(&[&NOP5[..], &[0x31, 0xc0]].concat()), Ok((5, EntryCost::SingleStepped)));
        assert_eq!(x86(&[&ENDBR64[..], &NOP5, &[0x55]].concat()), Ok((9, EntryCost::Emulated)));
        assert_eq!(x86(&[&ENDBR64[..], &NOP5, &[0xc3]].concat()), Ok((0, EntryCost::SingleStepped)));
        assert!(x86(&[NOP5, NOP5, NOP5].concat()).unwrap_err().contains("not safe"));
    }

    #[test]
    fn what_is_no_instruction_or_takes_no_probe_is_refused() {
        assert!(x86(&[]).unwrap_err().contains("no instruction"));
        assert!(x86(&[0x06]).unwrap_err().contains("no instruction"));
        assert!(x86(&[0xe8, 1]).unwrap_err().contains("no instruction"), "it is cut off");
        for bytes in [
            &[0xcc][..],                           // int3
            &[0xf4],                               // hlt
            &[0xc5, 0xf9, 0xef, 0xc0],             // vpxor %xmm0, %xmm0, %xmm0
            &[0xc5, 0xfe, 0x6f, 0x04, 0x24],       // vmovdqu (%rsp), %ymm0
            &[0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0], // vpxord %zmm0, %zmm0, %zmm0
            &[0xf0, 0x48, 0x0f, 0xb1, 0x0e],       // lock cmpxchg
            &[0x2e, 0x0f, 0x1f, 0x00],             // cs nopl
            &[0x66, 0xe8, 1, 0, 0, 0],             // callw
        ] {
            assert!(x86(bytes).unwrap_err().contains("puts no probe"), "{bytes:x?}");
        }
    }

    #[test]
    fn what_a_hit_costs_at_a_site_is_told_without_looking_further() {
        let cost = |bytes: &[u8]| cost(Arch::X86_64, bytes);
        assert_eq!(cost(&[0x90]), Ok(EntryCost::Emulated));
        assert_eq!(cost(&ENDBR64), Ok(EntryCost::SingleStepped));
        for (bytes, why) in [(&NOP5[..], "5-byte nop"), (&[0xcc], "puts no probe"), (&[], "no instruction")] {
            assert!(cost(bytes).unwrap_err().contains(why), "{bytes:x?}");
        }
    }

    #[test]
    fn aarch64_has_its_own_rules() {
        let arm = |words: &[u32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            at(Arch::Aarch64, &bytes)
        };
        let (bti, b, stp) = (0xd503_245f, 0x1400_0001, 0xa9bf_7bfd);
        assert_eq!(arm(&[stp]), Ok((0, EntryCost::SingleStepped)));
        assert_eq!(arm(&[bti, stp]), Ok((0, EntryCost::SingleStepped)));
        assert_eq!(arm(&[bti, b]), Ok((4, EntryCost::Emulated)));
        assert_eq!(arm(&[0x9000_0000]), Ok((0, EntryCost::Emulated)), "adrp");
        assert!(arm(&[0xd420_0000]).unwrap_err().contains("puts no probe"), "brk");
        assert!(at(Arch::Aarch64, &[0, 1]).unwrap_err().contains("no instruction"));
    }
}
