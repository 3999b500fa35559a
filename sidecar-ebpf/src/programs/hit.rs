//! A probe fired: count it, decide, and keep or drop its detail.

use aya_ebpf::{
    EbpfContext,
    helpers::{
        bpf_get_attach_cookie, bpf_get_current_pid_tgid,
        generated::{bpf_get_prandom_u32, bpf_loop},
    },
    macros::uprobe,
    programs::ProbeContext,
};
use core::ffi::c_void;
use sidecar_common::{
    Control, Counters, EVENT_ANOMALY, EVENT_TEST_END, EVENT_TEST_START, FRAME_ENTRY, FRAME_RETURN,
    HISTOGRAM_BUCKETS, KIND_INTEGER, MAX_ARGS, NO_ARG, NO_HISTOGRAM, RATE_ONE, SCOPE_TREE, Spec, Status,
    bucket_of, keeps,
};
use sidecar_ebpf::{
    eval::{nanoseconds, value},
    status::{WORD_BUFFER, classify, hash_word},
};

use super::{
    add, anomaly, control,
    emit::{FAULTED, Hit, SUBMITTED, emit_hit},
    frame,
    held::{self, NOT_HELD},
    in_tree,
    key::{self, argument, read_text},
    memory::{Probed, Site, UNKNOWN, fault_in, forget, forget_there},
    wake::{has_room, unread},
};
use crate::maps::{COUNTERS, HISTOGRAMS, SLOW_LIMITS, SPECS, STATUS_TABLES};

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

    let mut site = Site { regs: ctx.as_ptr(), elapsed: UNKNOWN };
    if spec.frame == FRAME_ENTRY {
        frame::enter(Probed(&site), spec, control, counters);
    } else if spec.frame == FRAME_RETURN {
        site.elapsed = frame::leave(Probed(&site), spec, control, counters);
    }
    // Whether it is known or not is one state for the verifier, and not two from here to the end.
    forget_there(&mut site.elapsed);
    let regs = Probed(&site);
    let (status, slow) = outcome::<SLEEPABLE>(index, regs, spec, counters);
    report_anomalies::<SLEEPABLE>(regs, spec, status, slow);
    let decision = decide::<SLEEPABLE>(regs, spec, control, status);
    // SAFETY: see above.
    let drop_payloads = unsafe { (*control).drop_payloads } != 0;
    let Decision { rate, precious, key, held } = decision;
    let unread = if rate == 0 { 0 } else { unread() };
    let mut hit =
        Hit { spec: index, status, rate, precious, drop_payloads, faults: 0, truncated: 0, len: 0, unread };
    if held && spec.event == EVENT_TEST_END {
        held::settle(key, rate, precious, control);
    }
    // SAFETY: see above.
    let follow_exits = unsafe { (*control).follow_exits } != 0;
    let (sent, holds) = if rate == 0 || (!precious && !has_room(control, unread)) {
        // SAFETY: see above.
        add(
            unsafe { if rate == 0 { &raw mut (*counters).sampled_out } else { &raw mut (*counters).lost } },
            1,
        );
        (false, held)
    } else {
        (emit::<SLEEPABLE>(regs, spec, control, &mut hit, counters), held && follow_exits)
    };
    if holds && spec.event == EVENT_TEST_START {
        // One state for all the ways that lead here: what follows is verified once.
        forget_there(&mut hit);
        let [key, sent] = forget([key, u64::from(sent)]);
        if hold::<SLEEPABLE>(regs, spec, &mut hit, key, sent != 0) && sent == 0 {
            // SAFETY: see above.
            add(unsafe { &raw mut (*counters).held }, 1);
        }
    }
    0
}

/// Sends the record, and counts what came of it. Whether the ring had room for it.
#[inline(always)]
fn emit<const SLEEPABLE: bool>(
    regs: Probed<'_>,
    spec: &Spec,
    control: *mut Control,
    hit: &mut Hit,
    counters: *mut Counters,
) -> bool {
    // Each way that leads here would be verified through all that builds a record; and so below.
    forget_there(hit);
    let mut outcome = emit_hit(regs, spec, control, hit, SLEEPABLE);
    if SLEEPABLE && outcome >= FAULTED {
        fault_in_strings(regs, spec, outcome as u16);
        outcome = emit_hit(regs, spec, control, hit, false);
    }
    // SAFETY: the pointers lead into an array map's value.
    unsafe {
        if outcome != SUBMITTED {
            add(&raw mut (*counters).lost, 1);
            return false;
        }
        add(&raw mut (*counters).kept, 1);
        add(&raw mut (*counters).bytes, u64::from(hit.len));
        if hit.faults != 0 {
            add(&raw mut (*counters).read_faults, u64::from(hit.faults));
        }
        if hit.truncated != 0 {
            add(&raw mut (*counters).truncated, u64::from(hit.truncated));
        }
    }
    true
}

/// Holds a start, which was sent or not, until its test's end. Whether there was a slot for it.
#[inline(always)]
fn hold<const SLEEPABLE: bool>(regs: Probed<'_>, spec: &Spec, hit: &mut Hit, key: u64, sent: bool) -> bool {
    let mut faulted = held::hold(regs, spec, hit, key, sent);
    if SLEEPABLE && faulted != 0 && faulted != NOT_HELD {
        fault_in_strings(regs, spec, faulted as u16);
        faulted = held::hold(regs, spec, hit, key, sent);
    }
    faulted != NOT_HELD
}

/// Counts the outcome and the duration, exactly, and gives the status number and whether the test was slow.
#[inline(always)]
fn outcome<const SLEEPABLE: bool>(
    index: u32,
    regs: Probed<'_>,
    spec: &Spec,
    counters: *mut Counters,
) -> (u8, bool) {
    let mut status = Status::Unknown as u8;
    let mut slow = false;
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
        slow = matches!(SLOW_LIMITS.get(index), Some(&limit) if limit != 0 && ns > limit);
        let bucket = bucket_of(ns);
        if bucket < HISTOGRAM_BUCKETS {
            // SAFETY: the index is in range; the pointer leads into an array map's value.
            unsafe {
                add((&raw mut (*histogram).buckets).cast::<u64>().add(bucket), 1);
                add(&raw mut (*histogram).sum_ns, ns);
            }
        }
    }
    (status, slow)
}

/// Reports what the hit shows: a test that failed or was slow, or an anomaly that the program itself reports.
#[inline(always)]
fn report_anomalies<const SLEEPABLE: bool>(regs: Probed<'_>, spec: &Spec, status: u8, slow: bool) {
    if spec.event == EVENT_TEST_END {
        if slow || Status::from_number(u64::from(status)).is_failure() {
            anomaly::report(u32::from(spec.signal));
        }
    } else if spec.event == EVENT_ANOMALY
        && let Some(signal) = anomaly::named::<SLEEPABLE>(regs, spec)
    {
        anomaly::report(signal);
    }
}

/// What becomes of a hit.
struct Decision {
    /// The threshold under which it is kept; 0: it is sampled out.
    rate: u64,
    /// What is kept by its rate only gives way to it: what is never sampled out, and reported anomalies.
    precious: bool,
    /// The test's key, where one was needed.
    key: u64,
    /// Starts are held, and this is a test's start or end with a key.
    held: bool,
}

#[inline(always)]
fn read_status<const SLEEPABLE: bool>(regs: Probed<'_>, spec: &Spec) -> u8 {
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

/// Decides by the rate in force and the test's key. What did not simply pass is never sampled out.
#[inline(always)]
fn decide<const SLEEPABLE: bool>(
    regs: Probed<'_>,
    spec: &Spec,
    control: *const Control,
    status: u8,
) -> Decision {
    let is_end = spec.event == EVENT_TEST_END;
    let always = is_end && status != Status::Passed as u8;
    // SAFETY: control points into an array map's value; the agent writes whole words.
    let wanted = unsafe { (*control).hold_starts | (*control).follow_exits } != 0;
    let holds = wanted && (is_end || spec.event == EVENT_TEST_START);
    let threshold = if always { RATE_ONE } else { anomaly::threshold(spec.signal) };
    let by_key = threshold != 0 && threshold < RATE_ONE;
    let key = if holds || by_key { key::of_test::<SLEEPABLE>(regs, spec) } else { 0 };
    let kept = if by_key {
        // Without a key, chance decides.
        // SAFETY: the helper takes no pointers and has no preconditions.
        keeps(if key != 0 { key } else { u64::from(unsafe { bpf_get_prandom_u32() }) }, threshold)
    } else {
        threshold != 0
    };
    let rate = if !kept {
        0
    } else if threshold > RATE_ONE {
        RATE_ONE
    } else {
        threshold
    };
    let precious = always || spec.event == EVENT_ANOMALY;
    Decision { rate, precious, key, held: holds && key != 0 }
}

/// What [`fault_in_one`] needs.
struct Faulted<'a> {
    regs: Probed<'a>,
    spec: &'a Spec,
    /// Bit i: argument i is a string that could not be read.
    strings: u16,
}

/// Makes the faulted strings' pages present. By `bpf_loop`, so that the verifier sees one argument and not each way through
/// twelve, which is a third of all that it has to see.
#[inline(always)]
fn fault_in_strings(regs: Probed<'_>, spec: &Spec, strings: u16) {
    let mut faulted = Faulted { regs, spec, strings };
    // SAFETY: the callback has the signature that bpf_loop asks for, and faulted outlives the call.
    unsafe {
        bpf_loop(MAX_ARGS as u32, fault_in_one as *mut c_void, (&raw mut faulted).cast(), 0);
    }
}

extern "C" fn fault_in_one(i: u32, faulted: *mut c_void) -> u64 {
    // SAFETY: the caller of the loop passes its own Faulted, which nobody else touches meanwhile.
    let faulted = unsafe { &*faulted.cast::<Faulted<'_>>() };
    let Some(arg) = faulted.spec.args.get(i as usize) else { return 1 };
    if faulted.strings & (1 << i) != 0
        && let Ok(address) = value(arg, &faulted.regs)
    {
        let max = u64::from(faulted.spec.max_string);
        fault_in(address, if max > 1024 { 1024 } else { max });
    }
    0
}
