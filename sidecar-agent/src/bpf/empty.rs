//! A probe program that does nothing: what a hit costs before sidecar's own program does anything. For benchmarks.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use aya_obj::generated::bpf_insn;

use super::{AttachMethod, BpfError, Link, Site, features, link::Moment, sys};

/// `BPF_ALU64 | BPF_MOV | BPF_K`: with the register and the number both zero, `r0 = 0`.
const MOVE: u8 = 0xb7;
/// `BPF_JMP | BPF_EXIT`.
const EXIT: u8 = 0x95;

/// The program, loaded for `uprobe_multi`.
pub struct EmptyProbe {
    program: OwnedFd,
}

impl EmptyProbe {
    /// Loads it.
    ///
    /// # Errors
    /// When the kernel refuses, for want of privilege or of `uprobe_multi`.
    pub fn load() -> Result<Self, BpfError> {
        let instruction =
            |code| bpf_insn { code, _bitfield_align_1: [], _bitfield_1: Default::default(), off: 0, imm: 0 };
        let program = sys::Program {
            name: "empty",
            kind: sys::ProgramType::Probe,
            instructions: &[instruction(MOVE), instruction(EXIT)],
            license: c"GPL",
            attach_type: sys::UPROBE_MULTI,
            flags: 0,
            btf: None,
            functions: &[],
        };
        let program = features::load_with_log(&program)
            .map_err(|(source, _)| BpfError::of("loading a probe program", source))?;
        Ok(Self { program })
    }

    /// Attaches it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn attach(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        Link::attach(self.program.as_fd(), AttachMethod::UprobeMulti, file, sites, Moment::Entry)
    }
}
