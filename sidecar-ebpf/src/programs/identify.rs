//! Tells the agent its own process id in the initial pid namespace. Run by `BPF_PROG_TEST_RUN`, never attached.

use core::ffi::c_void;

/// Returns the caller's thread group id. Written without the macro, which would return 0.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/identify")]
pub fn identify(_ctx: *mut c_void) -> u32 {
    (aya_ebpf::helpers::bpf_get_current_pid_tgid() >> 32) as u32
}
