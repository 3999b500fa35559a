//! What this kernel can do, found by trying it, never by its version.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use aya_obj::generated::bpf_insn;

use super::{Site, link::Moment, sys};

/// `BPF_ALU64 | BPF_MOV | BPF_K`: with the register and the number both zero, `r0 = 0`.
const MOVE: u8 = 0xb7;
/// `BPF_JMP | BPF_EXIT`.
const EXIT: u8 = 0x95;

/// The way by which probes are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMethod {
    /// One link for all sites of an image (kernels from 6.6 on).
    UprobeMulti,
    /// One perf event a site. Letting go takes about 0.1 s for each.
    PerfEvent {
        /// Type number of the uprobe PMU.
        pmu: u32,
    },
}

impl AttachMethod {
    /// The word used in logs and health.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UprobeMulti => "uprobe_multi",
            Self::PerfEvent { .. } => "perf_event",
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// How probes are attached.
    pub attach: AttachMethod,
    /// Whether strings on untouched pages are faulted in.
    pub sleepable: bool,
    /// Whether tests end with their process, where that is wanted.
    pub exits: bool,
}

/// The type number of the uprobe PMU.
pub(super) fn uprobe_pmu() -> io::Result<u32> {
    let path = "/sys/bus/event_source/devices/uprobe/type";
    let text = std::fs::read_to_string(path).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))?;
    text.trim().parse().map_err(|e| io::Error::other(format!("{path}: {e}")))
}

/// Whether this process may open uprobes as perf events: tries one in a file that is not there, which comes after the
/// question of privilege.
pub(super) fn may_open_events(pmu: u32) -> bool {
    match sys::open_uprobe_event(pmu, c"/proc/self/fd/none", 0, 0, false) {
        Ok(_) => true,
        Err(error) => !matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM)),
    }
}

/// Loads a probe program that does nothing: what it is refused for is what the kernel has not.
pub(super) fn load_empty(attach_type: u32, flags: u32) -> io::Result<OwnedFd> {
    let instruction =
        |code| bpf_insn { code, _bitfield_align_1: [], _bitfield_1: Default::default(), off: 0, imm: 0 };
    let program = sys::Program {
        name: "empty",
        kind: sys::ProgramType::Probe,
        instructions: &[instruction(MOVE), instruction(EXIT)],
        license: c"GPL",
        attach_type,
        flags,
        btf: None,
        functions: &[],
    };
    sys::load(&program, &mut [])
}

/// Whether links of this kind can be made: tries one at an offset where no probe can be, which a kernel that
/// knows the link type refuses otherwise than one that does not. The program that is tried does nothing, because older
/// kernels verify a whole one before they say that they do not know how to attach it.
pub(super) fn has_uprobe_multi() -> bool {
    // A directory is not a regular file: kernels with uprobe_multi answer EBADF before they look at an offset,
    // others EINVAL for the attach type.
    let (Ok(program), Ok(directory)) = (load_empty(sys::UPROBE_MULTI, 0), File::open("/proc/self")) else {
        return false;
    };
    let site = Site { offset: 1, semaphore: 0, cookie: 0 };
    match super::Link::attach(program.as_fd(), AttachMethod::UprobeMulti, &directory, &[site], Moment::Entry)
    {
        Ok(_) => true,
        Err(super::BpfError::Attach { source, .. }) => source.raw_os_error() == Some(libc::EBADF),
        Err(_) => false,
    }
}

/// Whether probe programs may sleep.
pub(super) fn has_sleepable() -> bool {
    load_empty(0, sys::SLEEPABLE).is_ok()
}

/// Whether the kernel still knows the error of a program that it can't load.
pub(super) fn load_with_log(program: &sys::Program<'_>) -> Result<OwnedFd, (io::Error, String)> {
    let first = match sys::load(program, &mut []) {
        Ok(fd) => return Ok(fd),
        Err(error) => error,
    };
    if matches!(first.raw_os_error(), Some(libc::EPERM)) {
        return Err((first, String::new()));
    }
    let mut log = vec![0; 1 << 20];
    match sys::load(program, &mut log) {
        Ok(fd) => Ok(fd),
        Err(error) => {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
            let text = String::from_utf8_lossy(&log[..end]);
            let lines: Vec<&str> = text.lines().collect();
            let error = if error.raw_os_error() == Some(libc::ENOSPC) { first } else { error };
            Err((error, lines[lines.len().saturating_sub(20)..].join("\n")))
        }
    }
}
