//! Sites that the kernel would rewrite to the harm of the program.
//!
//! Linux 6.18 turns a probed 5-byte nop into a call into a page of its own. The call writes below the stack pointer, where
//! code that is not called may keep data; and the page is not given to forked children, so that they die of SIGSEGV at
//! the first marker that their parent has fired before. No probe is worth that.

#[cfg(any(target_arch = "x86_64", test))]
use std::io;
use std::{fs::File, os::unix::fs::FileExt as _, sync::OnceLock};

use super::{BpfError, Site};

/// The system call by which the rewritten site asks the kernel: number 336 on x86-64.
#[cfg(target_arch = "x86_64")]
const UPROBE: libc::c_long = 336;

/// Length of the instruction that is rewritten.
const LENGTH: usize = 5;

/// Which nops a kernel rewrites where a probe sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewriting {
    /// None.
    None,
    /// Those of 5 bytes (6.18), to the harm of programs.
    Nop5,
    /// Those of 10 bytes.
    Nop10,
}

/// What this kernel rewrites: it is asked once.
pub(super) fn state() -> Rewriting {
    static ANSWER: OnceLock<Rewriting> = OnceLock::new();
    *ANSWER.get_or_init(ask)
}

#[cfg(target_arch = "x86_64")]
fn ask() -> Rewriting {
    // SAFETY: the system call takes no arguments, and refuses whoever does not come from the kernel's own page.
    let answer = unsafe { libc::syscall(UPROBE) };
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::ENXIO) if answer == -1 => Rewriting::Nop5,
        Some(libc::EPROTO) if answer == -1 => Rewriting::Nop10,
        // A filter (a container's, or a systemd unit's) answers in the kernel's place, and nobody learns which nops a
        // kernel rewrites that has the system call. Those of 5 bytes are the ones that do harm.
        _ if is_filtered() && knows_the_call() => Rewriting::Nop5,
        _ => Rewriting::None,
    }
}

/// Whether system calls of this process are filtered.
#[cfg(target_arch = "x86_64")]
fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}

/// Whether the kernel has the system call: its type information names the function. Without that information nobody knows.
#[cfg(target_arch = "x86_64")]
fn knows_the_call() -> bool {
    std::fs::read("/sys/kernel/btf/vmlinux")
        .is_ok_and(|bytes| bytes.split(|&byte| byte == 0).any(|name| name == b"__x64_sys_uprobe"))
}

/// On other processors none is rewritten.
#[cfg(not(target_arch = "x86_64"))]
fn ask() -> Rewriting {
    Rewriting::None
}

/// Whether this kernel rewrites 5-byte nops.
fn rewrites() -> bool {
    state() == Rewriting::Nop5
}

/// Refuses sites that this kernel would rewrite.
pub(super) fn refuse(file: &File, sites: &[Site]) -> Result<(), BpfError> {
    if !rewrites() {
        return Ok(());
    }
    let rewritten = sites.iter().filter(|site| {
        let mut code = [0; LENGTH];
        // What can't be read is for whoever attaches to refuse.
        file.read_exact_at(&mut code, site.offset).is_ok() && is_nop5(&code)
    });
    match rewritten.count() {
        0 => Ok(()),
        sites => Err(BpfError::Rewritten { sites }),
    }
}

/// Whether x86-64 code begins with a nop of 5 bytes, whatever its prefixes.
fn is_nop5(code: &[u8; LENGTH]) -> bool {
    let prefix =
        |byte: &u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x66 | 0xf2 | 0xf3);
    let prefixes = code.iter().take_while(|byte| prefix(byte)).count();
    let operand = match &code[prefixes..] {
        [0x90] => 0,
        [0x0f, 0x1f, mode, rest @ ..] => {
            let (scaled, base) = (mode & 7 == 4, rest.first().copied().unwrap_or(0) & 7);
            let displacement = match mode >> 6 {
                0 if mode & 7 == 5 || (scaled && base == 5) => 4,
                0 => 0,
                1 => 1,
                2 => 4,
                // A register: nothing follows.
                _ => return prefixes + 3 == LENGTH,
            };
            2 + usize::from(scaled) + displacement
        }
        _ => return false,
    };
    prefixes + 1 + operand == LENGTH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nops_of_five_bytes_are_known_and_other_code_is_not() {
        for code in [
            [0x0f, 0x1f, 0x44, 0x00, 0x00],
            [0x66, 0x0f, 0x1f, 0x40, 0x00],
            [0x2e, 0x0f, 0x1f, 0x04, 0x00],
            [0x66, 0x66, 0x0f, 0x1f, 0x00],
            [0x66, 0x66, 0x66, 0x66, 0x90],
            [0x66, 0x66, 0x0f, 0x1f, 0xc0],
        ] {
            assert!(is_nop5(&code), "{code:02x?}");
        }
        for code in [
            // nop; 5-byte nop
            [0x90, 0x0f, 0x1f, 0x44, 0x00],
            // Nops of 3, 4, 6, 7 and 10 bytes.
            [0x0f, 0x1f, 0x00, 0x90, 0x90],
            [0x0f, 0x1f, 0x40, 0x00, 0x90],
            [0x66, 0x0f, 0x1f, 0x44, 0x00],
            [0x0f, 0x1f, 0x80, 0x00, 0x00],
            [0x66, 0x2e, 0x0f, 0x1f, 0x84],
            // push; mov; call; nothing but prefixes
            [0x55, 0x48, 0x89, 0xe5, 0x90],
            [0xe8, 0x00, 0x00, 0x00, 0x00],
            [0x66, 0x66, 0x66, 0x66, 0x66],
        ] {
            assert!(!is_nop5(&code), "{code:02x?}");
        }
    }

    #[test]
    fn only_sites_that_would_be_rewritten_are_refused() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &[0x90, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3]).unwrap();
        let site = |offset| Site { offset, semaphore: 0, cookie: 0 };
        assert!(refuse(&file, &[site(0), site(6), site(1 << 40)]).is_ok());
        match refuse(&file, &[site(0), site(1)]) {
            Ok(()) => assert!(!rewrites()),
            Err(BpfError::Rewritten { sites }) => assert!(rewrites() && sites == 1),
            Err(error) => panic!("{error}"),
        }
    }
}
