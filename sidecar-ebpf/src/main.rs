//! The BPF object: one family of programs, driven by the specs in a map. On the host this is an empty program.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod maps;
#[cfg(target_arch = "bpf")]
mod programs;

#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program from which this can be reached.
    loop {}
}

/// The programs call helpers that are GPL only (reading a program's memory).
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Version of the ABI that this object speaks; the agent reads it from the ELF section.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "sidecar_abi")]
#[unsafe(no_mangle)]
static SIDECAR_ABI: u32 = sidecar_common::ABI_VERSION;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
