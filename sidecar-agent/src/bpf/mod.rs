//! The kernel side seen from user space: loading the object, maps, links and the ring. The only module that names
//! aya or makes raw system calls.

pub mod ask;
mod btf;
#[cfg(feature = "bench")]
mod empty;
mod exits;
mod features;
mod footprint;
mod kernel;
mod known;
mod link;
mod object;
mod options;
mod programs;
mod reader;
mod rewriting;
mod sampling;
mod stats;
mod sys;
mod tree;

use std::path::PathBuf;

#[cfg(feature = "bench")]
#[doc(hidden)]
pub use empty::EmptyProbe;
pub use features::{AttachMethod, Features};
pub use footprint::{Footprint, MapMemory};
pub use kernel::{Kernel, ProbePoint};
pub use link::Link;
pub use object::{EMBEDDED, Object, embedded_digest};
pub use options::{LoadOptions, Scope};
pub use reader::RingReader;
pub use stats::{ProgramStats, StatsWindow};
pub use tree::Tree;

/// One place in one file where a probe sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Offset of the instruction in the file, in bytes.
    pub offset: u64,
    /// Offset of the semaphore in the file, in bytes; 0 for none.
    pub semaphore: u64,
    /// Index of the spec, which the kernel programs get as the attach cookie.
    pub cookie: u64,
}

/// Why the kernel side can't do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BpfError {
    /// The object file given by `--bpf-object` can't be read.
    #[error("{path}: {source}", path = path.display())]
    ReadObject {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The object is not one, or was built for another version of this program.
    #[error("the BPF object is not usable: {0}; rebuild it with `cargo xtask build-ebpf`")]
    Object(String),
    /// Neither CAP_BPF nor root.
    #[error("no privilege for BPF: run as root, or with CAP_BPF and CAP_PERFMON")]
    Privilege,
    /// The kernel has no BPF, or not what is needed of it.
    #[error("this kernel can't do {what}: {source}")]
    Unsupported {
        /// What was tried.
        what: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// Perf events are refused, and this kernel has no other way to attach.
    #[error(
        "this kernel attaches probes by perf events, which it refuses to this process: where kernel.perf_event_paranoid is \
         3, as Debian sets it, they take CAP_SYS_ADMIN besides CAP_PERFMON; give it, or set that to 2"
    )]
    PerfEvents,
    /// The verifier refused a program.
    #[error("the kernel's verifier refused the program {name}: {source}\n{log}")]
    Verifier {
        /// The program.
        name: String,
        /// The kernel's answer.
        source: std::io::Error,
        /// The last lines of the verifier's log.
        log: String,
    },
    /// aya could not load the object or create its maps.
    #[error("loading the BPF object: {0}")]
    Load(String),
    /// A map could not be read or written.
    #[error("BPF map {map}: {reason}")]
    Map {
        /// The map's name.
        map: &'static str,
        /// The kernel's answer.
        reason: String,
    },
    /// Probes could not be attached.
    #[error("attaching {sites} probe sites: {source}")]
    Attach {
        /// How many sites.
        sites: usize,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// Probes at some sites would harm the program.
    #[error(
        "{sites} of its sites begin with a 5-byte nop, which this kernel (6.18 or like it) rewrites so that forked children \
         die at it: the markers need a 1-byte nop there"
    )]
    Rewritten {
        /// How many sites.
        sites: usize,
    },
    /// A field's offset is not in the kernel's BTF.
    #[error("the kernel's type information (/sys/kernel/btf/vmlinux): {0}")]
    Btf(String),
}

impl BpfError {
    /// An error of a system call, told apart by what the user can do about it.
    fn of(what: impl Into<String>, source: std::io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Privilege,
            _ => Self::Unsupported { what: what.into(), source },
        }
    }
}
