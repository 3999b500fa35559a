//! Building a record inside its ring reservation.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::generated::{bpf_loop, bpf_probe_read_user, bpf_probe_read_user_str},
};
use core::ffi::c_void;
use sidecar_common::{
    ArgSpec, Control, KIND_INTEGER, KIND_STRING, RECORD_CLASSES, RECORD_HIT, RECORD_KNOWN, RECORD_PRECIOUS,
    RecordHeader, STRING_LIMITS, Spec,
};
use sidecar_ebpf::eval::{Missing, value};

use super::{
    lose_process,
    memory::{Probed, at_most},
    wake::{submit_flags, unread, woken_just_now},
    write_header,
};
use crate::maps::RECORDS;

/// What came of an attempt to build a record: one of the constants, or [`FAULTED`] plus a bit for each argument
/// that could not be read. A number, because a BPF subprogram returns no more than one register.
pub type Outcome = u64;
/// Submitted.
pub const SUBMITTED: Outcome = 0;
/// The ring has no room.
pub const LOST: Outcome = 1;
/// It does not fit this class: try the next.
pub const TOO_SMALL: Outcome = 2;
/// Strings could not be read, and the caller asked to be told.
pub const FAULTED: Outcome = 1 << 16;

/// What is known of the hit before its record is built, and what is found out while it is.
#[derive(Clone, Copy)]
pub struct Hit {
    /// Index of the spec.
    pub spec: u32,
    /// The status number.
    pub status: u8,
    /// The threshold under which it is kept.
    pub rate: u64,
    /// What is kept by its rate only gives way to it.
    pub precious: bool,
    /// Its payloads are left out.
    pub drop_payloads: bool,
    /// Number of arguments that faulted.
    pub faults: u32,
    /// Number of strings that were cut.
    pub truncated: u32,
    /// Bytes in use.
    pub len: u32,
    /// Bytes that were in the ring before it.
    pub unread: u64,
}

/// The record's header inside the reservation. What changes from argument to argument is kept there and nowhere
/// else: the verifier doesn't follow values in ring memory, so that it sees one state an argument, not one for
/// each way through all of them.
#[derive(Clone, Copy)]
struct Head(*mut RecordHeader);

impl Head {
    /// Adds bits to one of the bitmaps.
    #[inline(always)]
    fn mark(bitmap: *mut u16, bit: u16) {
        // SAFETY: bitmap is a field of the header in the live reservation.
        unsafe { bitmap.write_volatile(bitmap.read_volatile() | bit) };
    }

    #[inline(always)]
    fn string(self, bit: u16) {
        // SAFETY: the header lies in the live reservation.
        Self::mark(unsafe { &raw mut (*self.0).strings }, bit);
    }

    #[inline(always)]
    fn fault(self, bit: u16) {
        // SAFETY: as above.
        Self::mark(unsafe { &raw mut (*self.0).faults }, bit);
    }

    #[inline(always)]
    fn truncate(self, bit: u16) {
        // SAFETY: as above.
        Self::mark(unsafe { &raw mut (*self.0).truncated }, bit);
    }

    #[inline(always)]
    fn unread(self, bit: u16) {
        // SAFETY: as above.
        Self::mark(unsafe { &raw mut (*self.0).unread }, bit);
    }

    #[inline(always)]
    fn leave_out(self, bit: u16) {
        // SAFETY: as above.
        Self::mark(unsafe { &raw mut (*self.0).dropped }, bit);
    }

    /// The record has no more arguments than `argc`.
    #[inline(always)]
    fn end_at(self, argc: u8) {
        // SAFETY: as above.
        unsafe { (&raw mut (*self.0).argc).write_volatile(argc) };
    }

    #[inline(always)]
    fn position(self) -> u64 {
        // SAFETY: as above.
        u64::from(unsafe { (&raw const (*self.0).len).read_volatile() })
    }

    #[inline(always)]
    fn advance(self, by: u64) {
        // SAFETY: as above.
        let len = unsafe { &raw mut (*self.0).len };
        // SAFETY: as above.
        unsafe { len.write_volatile(len.read_volatile() + by as u32) };
    }
}

/// What one argument's step needs of the attempt it belongs to.
struct Attempt<'a> {
    regs: Probed<'a>,
    spec: &'a Spec,
    record: *mut u8,
    /// Bit i: argument i is left out.
    drop: u16,
    /// There is no larger class: cut what does not fit.
    last: bool,
    too_small: bool,
}

/// Writes argument `i`: the body of a `bpf_loop`, so that the verifier sees it once and not for each argument.
/// Returns 0 to go on, 1 to stop.
#[inline(always)]
fn step<const SIZE: usize, const LIMIT: u64>(i: u64, attempt: &mut Attempt<'_>) -> u64 {
    let spec = attempt.spec;
    let regs = attempt.regs;
    let head = Head(attempt.record.cast());
    // No indexing that could panic: the verifier would find the way there.
    let Some(arg) = spec.args.get(i as usize) else { return 1 };
    let position = head.position();
    if position > SIZE as u64 - 8 - LIMIT - PAST {
        if attempt.last {
            head.end_at(i as u8);
        } else {
            attempt.too_small = true;
        }
        return 1;
    }
    // SAFETY: 8 bytes and LIMIT + PAST bytes of text lie inside the reservation from here on.
    let slot = unsafe { attempt.record.add(position as usize) };
    head.advance(8);
    let bit = 1u16 << i;
    let mut word = 0u64;
    if attempt.drop & bit != 0 {
        head.leave_out(bit);
        // SAFETY: see slot; positions are multiples of 8 and reservations are 8-aligned.
        unsafe { slot.cast::<u64>().write(word) };
        return 0;
    }
    match value(arg, &regs) {
        Ok(found) if arg.kind == KIND_INTEGER => word = found,
        Ok(0) => {
            head.string(bit);
            head.unread(bit);
        }
        Ok(address) => {
            head.string(bit);
            // SAFETY: see slot.
            let text = unsafe { slot.add(8) };
            match copy::<LIMIT>(regs, spec, arg, address, text, attempt.last) {
                Copied::Whole(len) => word = len,
                Copied::Cut(len) => {
                    word = len;
                    head.truncate(bit);
                }
                Copied::TooLong => {
                    attempt.too_small = true;
                    return 1;
                }
                Copied::Fault => head.fault(bit),
            }
            head.advance((word + 7) & !7);
        }
        Err(Missing::Unread) => head.unread(bit),
        Err(Missing::Fault) => head.fault(bit),
    }
    // SAFETY: see slot; positions are multiples of 8 and ring reservations are 8-aligned.
    unsafe { slot.cast::<u64>().write(word) };
    0
}

/// [`step`] as the helper calls it.
extern "C" fn step_in_loop<const SIZE: usize, const LIMIT: u64>(i: u32, attempt: *mut c_void) -> u64 {
    // SAFETY: the caller of the loop passes its own Attempt, which nobody else touches meanwhile.
    step::<SIZE, LIMIT>(u64::from(i), unsafe { &mut *attempt.cast::<Attempt<'_>>() })
}

/// Builds a record at `record`, where there are `SIZE` bytes, with strings of up to `LIMIT` bytes. Whether it fits;
/// where `last` says that there is no larger class, what does not fit is cut.
#[inline(always)]
pub fn build<const SIZE: usize, const LIMIT: u64>(
    regs: Probed<'_>,
    spec: &Spec,
    hit: &Hit,
    record: *mut u8,
    last: bool,
) -> bool {
    // SAFETY: there is room for the header, 8-aligned.
    unsafe {
        let rest = RecordHeader {
            kind: RECORD_HIT,
            argc: spec.argc,
            status: hit.status,
            spec: hit.spec,
            generation: spec.generation,
            rate: hit.rate,
            flags: if hit.precious { RECORD_PRECIOUS } else { 0 },
            ..RecordHeader::default()
        };
        write_header(record.cast(), rest);
    }
    let drop = if hit.drop_payloads { spec.payload_args } else { 0 };
    let mut attempt = Attempt { regs, spec, record, drop, last, too_small: false };
    // SAFETY: the callback has the signature that bpf_loop asks for, and attempt outlives the call.
    unsafe {
        bpf_loop(
            u32::from(spec.argc),
            step_in_loop::<SIZE, LIMIT> as *mut c_void,
            (&raw mut attempt).cast(),
            0,
        );
    }
    !attempt.too_small
}

/// Builds and submits the record of a hit, in `SIZE` ring bytes with strings of up to `LIMIT` bytes. A
/// subprogram of its own, for the sake of the 512 bytes of stack.
#[inline(never)]
fn emit<const SIZE: usize, const LIMIT: u64>(
    regs: Probed<'_>,
    spec: &Spec,
    control: *const Control,
    hit: &mut Hit,
    report_faults: bool,
) -> Outcome {
    let Some(mut entry) = RECORDS.reserve_bytes(SIZE, 0) else { return LOST };
    let record = entry.as_mut_ptr();
    let head = Head(record.cast());
    let fits = build::<SIZE, LIMIT>(regs, spec, hit, record, false);
    if !fits {
        entry.discard(u64::from(BPF_RB_NO_WAKEUP));
        return TOO_SMALL;
    }

    // SAFETY: the header lies in the live reservation.
    let done = unsafe { head.0.read() };
    let faulted = done.faults & done.strings;
    if report_faults && faulted != 0 {
        entry.discard(u64::from(BPF_RB_NO_WAKEUP));
        return FAULTED | u64::from(faulted);
    }
    hit.faults = done.faults.count_ones();
    hit.truncated = done.truncated.count_ones();
    hit.len = done.len;
    entry.submit(submit_flags(control, hit.unread));
    SUBMITTED
}

/// Bytes that are read past a string's limit, so that one that just fits is told from one that is cut.
const PAST: u64 = 8;

/// What came of copying a string or bytes.
enum Copied {
    /// All of it: the number of bytes.
    Whole(u64),
    /// As much as a record may hold.
    Cut(u64),
    /// It does not fit this class.
    TooLong,
    /// It could not be read.
    Fault,
}

/// Copies what `address` points to behind the argument's slot: `text` has room for `LIMIT + PAST` bytes.
#[inline(always)]
fn copy<const LIMIT: u64>(
    regs: Probed<'_>,
    spec: &Spec,
    arg: &ArgSpec,
    address: u64,
    text: *mut u8,
    last: bool,
) -> Copied {
    let most = u64::from(spec.max_string);
    let limit = if most > LIMIT { LIMIT } else { most };
    let larger = most > LIMIT && !last;
    if arg.kind == KIND_STRING {
        // SAFETY: text has LIMIT + PAST bytes and limit is at most LIMIT; the helper checks the source address.
        let read =
            unsafe { bpf_probe_read_user_str(text.cast(), limit as u32 + 1, address as *const c_void) };
        if read < 0 || read as u64 > LIMIT + PAST {
            return Copied::Fault;
        }
        let len = read as u64;
        if len == 0 {
            Copied::Whole(0)
        } else if len <= limit {
            Copied::Whole(len - 1)
        } else if larger {
            Copied::TooLong
        } else {
            Copied::Cut(limit - 1)
        }
    } else {
        let Some(Ok(len)) = spec.args.get(usize::from(arg.len_arg)).map(|arg| value(arg, &regs)) else {
            return Copied::Fault;
        };
        if len > LIMIT && larger {
            return Copied::TooLong;
        }
        let size = at_most::<LIMIT>(if len > limit { limit } else { len });
        // SAFETY: text has LIMIT bytes and size is at most that; the helper checks the source address.
        if unsafe { bpf_probe_read_user(text.cast(), size as u32, address as *const c_void) } != 0 {
            Copied::Fault
        } else if len > size {
            Copied::Cut(size)
        } else {
            Copied::Whole(size)
        }
    }
}

/// Builds the record in the least class that holds it.
#[inline(always)]
pub fn emit_hit(
    regs: Probed<'_>,
    spec: &Spec,
    control: *const Control,
    hit: &mut Hit,
    report_faults: bool,
) -> Outcome {
    const SMALL: usize = RECORD_CLASSES[0] as usize;
    const MEDIUM: usize = RECORD_CLASSES[1] as usize;
    const LARGE: usize = RECORD_CLASSES[2] as usize;
    let outcome = emit::<SMALL, { STRING_LIMITS[0] as u64 }>(regs, spec, control, hit, report_faults);
    if outcome != TOO_SMALL {
        return outcome;
    }
    let outcome = emit::<MEDIUM, { STRING_LIMITS[1] as u64 }>(regs, spec, control, hit, report_faults);
    if outcome != TOO_SMALL {
        return outcome;
    }
    emit::<LARGE, { STRING_LIMITS[2] as u64 }>(regs, spec, control, hit, report_faults)
}

/// Sends a record that is only a header, or counts that there was no room for it. One with [`RECORD_KNOWN`] wakes nobody
/// who was woken for such a one just now.
#[inline(always)]
pub fn emit_process(control: *const Control, kind: u16, flags: u16) {
    match RECORDS.reserve::<RecordHeader>(0) {
        Some(mut entry) => {
            // SAFETY: the reservation is a header's, and this program's until it is submitted.
            unsafe {
                write_header(entry.as_mut_ptr(), RecordHeader { kind, flags, ..RecordHeader::default() });
            }
            let quiet = flags & RECORD_KNOWN != 0 && woken_just_now();
            entry.submit(if quiet { u64::from(BPF_RB_NO_WAKEUP) } else { submit_flags(control, unread()) });
        }
        None => lose_process(),
    }
}
