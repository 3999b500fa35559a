//! A probe fired: count it, decide, and keep or drop its detail.

use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_get_attach_cookie, bpf_get_current_pid_tgid, generated::bpf_probe_read_user_str},
    macros::uprobe,
    programs::ProbeContext,
};
use core::ffi::c_void;
use sidecar_common::{
    Counters, EVENT_TEST_END, FNV_OFFSET, HISTOGRAM_BUCKETS, KIND_INTEGER, MAX_ARGS, NO_ARG, NO_HISTOGRAM,
    RATE_ONE, SCOPE_TREE, Spec, Status, bucket_of, fnv1a_step, keeps, mix,
};
use sidecar_ebpf::{
    eval::{nanoseconds, value},
    status::{WORD_BUFFER, classify, hash_word},
};

use super::{
    add, control,
    emit::{FAULTED, Hit, SUBMITTED, emit_hit},
    in_tree,
    memory::{Probed, fault_in},
};
use crate::maps::{COUNTERS, HISTOGRAMS, SIGNALS, SPECS, STATUS_TABLES};

/// Longest part of a test id that the kernel hashes, in bytes.
const HASHED_ID: usize = 192;

#[uprobe]
pub fn probe_hit(ctx: ProbeContext) -> u32 {
    on_hit::<false>(&ctx)
}

#[uprobe(sleepable)]
pub fn probe_hit_sleepable(ctx: ProbeContext) -> u32 {
    on_hit::<true>(&ctx)
}

#[inline(always)]
fn on_hit<const SLEEPABLE: bool>(ctx: &ProbeContext) -> u32 {
    // SAFETY: the context is this program's own.
    let index = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) } as u32;
    let (Some(spec), Some(counters), Some(control)) =
        (SPECS.get(index), COUNTERS.get_ptr_mut(index), control())
    else {
        return 0;
    };
    // SAFETY: the pointers lead into array maps' values; the agent writes whole words.
    unsafe {
        if (*control).scope == SCOPE_TREE && !in_tree((bpf_get_current_pid_tgid() >> 32) as u32) {
            add(&raw mut (*counters).out_of_scope, 1);
            return 0;
        }
        add(&raw mut (*counters).hits, 1);
        if (*control).enabled == 0 || spec.enabled == 0 {
            add(&raw mut (*counters).disabled, 1);
            return 0;
        }
    }
    #[cfg(feature = "log")]
    aya_log_ebpf::debug!(ctx, "hit of spec {}", index);

    let regs = Probed::new(ctx.as_ptr());
    let status = outcome::<SLEEPABLE>(regs, spec, counters);
    let Some(rate) = kept_at::<SLEEPABLE>(regs, spec, status) else {
        // SAFETY: see above.
        add(unsafe { &raw mut (*counters).sampled_out }, 1);
        return 0;
    };

    let mut hit = Hit { spec: index, status, rate, faults: 0, truncated: 0, len: 0 };
    let mut outcome = emit_hit(regs, spec, control, &mut hit, SLEEPABLE);
    if SLEEPABLE && outcome >= FAULTED {
        fault_in_strings(regs, spec, outcome as u16);
        outcome = emit_hit(regs, spec, control, &mut hit, false);
    }
    // SAFETY: see above.
    unsafe {
        if outcome == SUBMITTED {
            add(&raw mut (*counters).kept, 1);
            add(&raw mut (*counters).bytes, u64::from(hit.len));
            if hit.faults != 0 {
                add(&raw mut (*counters).read_faults, u64::from(hit.faults));
            }
            if hit.truncated != 0 {
                add(&raw mut (*counters).truncated, u64::from(hit.truncated));
            }
        } else {
            add(&raw mut (*counters).lost, 1);
        }
    }
    0
}

/// Counts the outcome and the duration, exactly, and gives the status number.
#[inline(always)]
fn outcome<const SLEEPABLE: bool>(regs: Probed, spec: &Spec, counters: *mut Counters) -> u8 {
    let mut status = Status::Unknown as u8;
    if spec.status_arg != NO_ARG {
        status = read_status::<SLEEPABLE>(regs, spec);
        if (status as usize) < Status::COUNT {
            // SAFETY: the index is in range; the pointer leads into an array map's value.
            add(unsafe { (&raw mut (*counters).statuses).cast::<u64>().add(status as usize) }, 1);
        }
    }
    if spec.histogram != NO_HISTOGRAM
        && let Some(arg) = argument(spec, spec.duration_arg)
        && let Ok(duration) = value(arg, &regs)
        && let Some(histogram) = HISTOGRAMS.get_ptr_mut(spec.histogram)
    {
        let ns = nanoseconds(duration, spec.duration_unit_ns);
        let bucket = bucket_of(ns);
        if bucket < HISTOGRAM_BUCKETS {
            // SAFETY: the index is in range; the pointer leads into an array map's value.
            unsafe {
                add((&raw mut (*histogram).buckets).cast::<u64>().add(bucket), 1);
                add(&raw mut (*histogram).sum_ns, ns);
            }
        }
    }
    status
}

/// The argument at a position that the spec names.
#[inline(always)]
fn argument(spec: &Spec, position: u8) -> Option<&sidecar_common::ArgSpec> {
    if (position as usize) < MAX_ARGS { Some(&spec.args[position as usize]) } else { None }
}

#[inline(always)]
fn read_status<const SLEEPABLE: bool>(regs: Probed, spec: &Spec) -> u8 {
    let Some(arg) = argument(spec, spec.status_arg) else { return 0 };
    let Ok(mut found) = value(arg, &regs) else { return 0 };
    let Some(table) = STATUS_TABLES.get(u32::from(spec.status_table)) else { return 0 };
    if arg.kind != KIND_INTEGER {
        let mut word = [0u8; WORD_BUFFER];
        if !read_text::<SLEEPABLE, WORD_BUFFER>(&mut word, found) {
            return 0;
        }
        let Some(hash) = hash_word(&word) else { return 0 };
        found = hash;
    }
    classify(table, found)
}

/// The threshold under which the hit is kept, or `None` if it is sampled out.
#[inline(always)]
fn kept_at<const SLEEPABLE: bool>(regs: Probed, spec: &Spec, status: u8) -> Option<u64> {
    // What did not simply pass is never sampled out.
    if spec.event == EVENT_TEST_END && status != Status::Passed as u8 {
        return Some(RATE_ONE);
    }
    let threshold = SIGNALS.get(u32::from(spec.signal))?.threshold;
    if threshold >= RATE_ONE {
        return Some(RATE_ONE);
    }
    if threshold == 0 {
        return None;
    }
    let mut key = match argument(spec, spec.key_arg) {
        Some(arg) => value(arg, &regs).unwrap_or(0),
        None => 0,
    };
    if key == 0 {
        key = hashed_id::<SLEEPABLE>(regs, spec);
    }
    keeps(key, threshold).then_some(threshold)
}

/// Reads a string, as much as there is room for; a program that may sleep makes its pages present first where they
/// are not.
#[inline(always)]
fn read_text<const SLEEPABLE: bool, const LEN: usize>(text: &mut [u8; LEN], address: u64) -> bool {
    let mut read = || {
        // SAFETY: dst is this stack's array of the size given; the helper checks the source address.
        unsafe { bpf_probe_read_user_str(text.as_mut_ptr().cast(), LEN as u32, address as *const c_void) > 0 }
    };
    if read() {
        return true;
    }
    if !SLEEPABLE {
        return false;
    }
    fault_in(address, LEN as u64);
    read()
}

/// A key for a hit that passes none (or 0, which is none): the hash of its test id; without one, chance.
#[inline(never)]
fn hashed_id<const SLEEPABLE: bool>(regs: Probed, spec: &Spec) -> u64 {
    let mut hash = FNV_OFFSET ^ spec.seed;
    let (arg, found) = match argument(spec, spec.id_arg).map(|arg| (arg, value(arg, &regs))) {
        Some((arg, Ok(found))) if arg.kind == KIND_INTEGER || found != 0 => (arg, found),
        // SAFETY: the helper takes no pointers and has no preconditions.
        _ => return mix(hash ^ u64::from(unsafe { aya_ebpf::helpers::generated::bpf_get_prandom_u32() })),
    };
    if arg.kind == KIND_INTEGER {
        return mix(hash ^ found);
    }
    let mut text = [0u8; HASHED_ID];
    if !read_text::<SLEEPABLE, HASHED_ID>(&mut text, found) {
        return hash;
    }
    let mut i = 0;
    while i < HASHED_ID {
        if text[i] == 0 {
            break;
        }
        hash = fnv1a_step(hash, text[i]);
        i += 1;
    }
    hash
}

/// Makes the faulted strings' pages present.
#[inline(always)]
fn fault_in_strings(regs: Probed, spec: &Spec, faulted: u16) {
    let max = u64::from(spec.max_string);
    let mut i = 0;
    while let Some(arg) = spec.args.get(i) {
        if faulted & (1 << i) != 0
            && let Ok(address) = value(arg, &regs)
        {
            fault_in(address, if max > 1024 { 1024 } else { max });
        }
        i += 1;
    }
}
