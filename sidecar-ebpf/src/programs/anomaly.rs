//! Anomalies: which signal they boost, and the threshold that is in force then.

use aya_ebpf::{helpers::bpf_ktime_get_ns, programs::RawTracePointContext};
use core::ffi::c_void;
use sidecar_common::{SignalState, Spec};
use sidecar_ebpf::{
    boost,
    eval::value,
    status::{WORD_BUFFER, hash_word},
};

use super::{
    atomic::Bpf,
    key::{argument, read_text},
    memory::Probed,
};
use crate::maps::{BOOSTS, SIGNAL_NAMES, SIGNALS};

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper takes no pointers and has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// The threshold of a signal that is in force now.
#[inline(always)]
pub fn threshold(index: u8) -> u64 {
    let index = u32::from(index);
    let (Some(signal), Some(state)) = (SIGNALS.get(index), BOOSTS.get_ptr_mut(index)) else { return 0 };
    // SAFETY: the state lies in an array map's value, which only these programs write.
    unsafe { boost::in_force::<Bpf>(signal, state, now) }
}

/// Counts an anomaly of a signal, which may begin a boost. Whether it did.
#[inline(never)]
pub fn report(index: u32) -> bool {
    let (Some(signal), Some(state)) = (SIGNALS.get(index), BOOSTS.get_ptr_mut(index)) else { return false };
    let signal: &SignalState = signal;
    // SAFETY: as above.
    unsafe { boost::anomaly::<Bpf>(signal, state, now()) }
}

/// The signal that an anomaly marker names, or its own where it names none. `None` for a name that no signal has.
#[inline(always)]
pub fn named<const SLEEPABLE: bool>(regs: Probed<'_>, spec: &Spec) -> Option<u32> {
    let found = argument(spec, spec.signal_arg).and_then(|arg| value(arg, &regs).ok()).unwrap_or(0);
    if found == 0 {
        return Some(u32::from(spec.signal));
    }
    let mut word = [0u8; WORD_BUFFER];
    if !read_text::<SLEEPABLE, WORD_BUFFER>(&mut word, found) {
        return None;
    }
    let hash = hash_word(&word)?;
    // SAFETY: the value is one word, which the agent writes before it attaches any probe.
    unsafe { SIGNAL_NAMES.get(hash) }.copied()
}

/// Reports an anomaly for the agent, or clears a signal's. Run by `BPF_PROG_TEST_RUN`, never attached; the context's two
/// words are the signal's index and 1 to clear. Returns 1 if it began a boost. Written without the macro, which would
/// return 0.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/report_anomaly")]
pub fn report_anomaly(ctx: *mut c_void) -> u32 {
    let ctx = RawTracePointContext::new(ctx);
    let signal: u64 = ctx.arg(0);
    let clears: u64 = ctx.arg(1);
    if clears == 0 {
        return u32::from(report(signal as u32));
    }
    if let Some(state) = BOOSTS.get_ptr_mut(signal as u32) {
        // SAFETY: as in `threshold`.
        unsafe { boost::clear::<Bpf>(state) };
    }
    0
}
