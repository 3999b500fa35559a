//! The BPF system calls that aya 0.14 lacks. Layouts: `union bpf_attr` and `struct perf_event_attr` in the kernel's
//! include/uapi/linux/{bpf,perf_event}.h.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use aya_obj::generated::{bpf_func_info, bpf_insn};

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const BPF_BTF_LOAD: libc::c_long = 18;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ENABLE_STATS: libc::c_long = 32;

const BPF_PERF_EVENT: u32 = 41;
/// `BPF_TRACE_UPROBE_MULTI`.
pub(super) const UPROBE_MULTI: u32 = 48;
/// `BPF_F_SLEEPABLE`.
pub(super) const SLEEPABLE: u32 = 1 << 4;

const BPF_PROG_TYPE_KPROBE: u32 = 2;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// Kinds of programs that are loaded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgramType {
    /// uprobes are of the kernel's program type for kprobes.
    Probe,
    /// Raw tracepoints.
    RawTracepoint,
}

pub(super) fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: attr is a repr(C) prefix of union bpf_attr, whose size is passed along; the kernel treats what is
    // missing as zero. The pointers inside it are valid for the call: each caller keeps their owners alive.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
}

pub(super) fn owned(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel has just given this descriptor to us and nobody else has it. BPF descriptors are
    // close-on-exec by themselves.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    reserved: u32,
}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    btf: u64,
    log_buf: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    reserved: u32,
}

/// Loads type information, which programs with callbacks must have.
pub(super) fn load_btf(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = BtfLoad {
        btf: bytes.as_ptr() as u64,
        size: u32::try_from(bytes.len()).map_err(io::Error::other)?,
        ..BtfLoad::default()
    };
    bpf(BPF_BTF_LOAD, &mut attr).map(owned)
}

/// What to load.
pub(super) struct Program<'a> {
    pub(super) name: &'a str,
    pub(super) kind: ProgramType,
    pub(super) instructions: &'a [bpf_insn],
    pub(super) license: &'a CStr,
    pub(super) attach_type: u32,
    pub(super) flags: u32,
    pub(super) btf: Option<BorrowedFd<'a>>,
    /// `struct bpf_func_info` of the program and of each subprogram.
    pub(super) functions: &'a [bpf_func_info],
}

/// Loads a program. `log`, if not empty, receives the verifier's words as a NUL-terminated string.
pub(super) fn load(program: &Program<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attr = ProgLoad {
        prog_type: match program.kind {
            ProgramType::Probe => BPF_PROG_TYPE_KPROBE,
            ProgramType::RawTracepoint => BPF_PROG_TYPE_RAW_TRACEPOINT,
        },
        insn_cnt: u32::try_from(program.instructions.len()).map_err(io::Error::other)?,
        insns: program.instructions.as_ptr() as u64,
        license: program.license.as_ptr() as u64,
        prog_flags: program.flags,
        expected_attach_type: program.attach_type,
        prog_btf_fd: program.btf.map_or(0, |btf| btf.as_raw_fd() as u32),
        func_info_rec_size: size_of::<bpf_func_info>() as u32,
        func_info: program.functions.as_ptr() as u64,
        func_info_cnt: u32::try_from(program.functions.len()).map_err(io::Error::other)?,
        ..ProgLoad::default()
    };
    for (to, from) in attr.prog_name.iter_mut().zip(program.name.bytes().take(15)) {
        *to = from;
    }
    if !log.is_empty() {
        attr.log_level = 1;
        attr.log_size = u32::try_from(log.len()).map_err(io::Error::other)?;
        attr.log_buf = log.as_mut_ptr() as u64;
    }
    bpf(BPF_PROG_LOAD, &mut attr).map(owned)
}

#[repr(C)]
struct LinkCreateMulti {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    path: u64,
    offsets: u64,
    ref_ctr_offsets: u64,
    cookies: u64,
    count: u32,
    multi_flags: u32,
    pid: u32,
    reserved: u32,
}

/// `BPF_F_UPROBE_MULTI_RETURN`.
const UPROBE_MULTI_RETURN: u32 = 1;

/// Attaches a program to all `offsets` of one file with one link, or to the returns of the functions that begin there. The
/// three slices have the same length.
pub(super) fn link_uprobe_multi(
    program: BorrowedFd<'_>,
    path: &CStr,
    offsets: &[u64],
    semaphores: &[u64],
    cookies: &[u64],
    returns: bool,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreateMulti {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: 0,
        attach_type: UPROBE_MULTI,
        flags: 0,
        path: path.as_ptr() as u64,
        offsets: offsets.as_ptr() as u64,
        ref_ctr_offsets: semaphores.as_ptr() as u64,
        cookies: cookies.as_ptr() as u64,
        count: u32::try_from(offsets.len().min(semaphores.len()).min(cookies.len()))
            .map_err(io::Error::other)?,
        multi_flags: if returns { UPROBE_MULTI_RETURN } else { 0 },
        pid: 0,
        reserved: 0,
    };
    bpf(BPF_LINK_CREATE, &mut attr).map(owned)
}

#[repr(C)]
struct LinkCreatePerf {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    cookie: u64,
}

/// Attaches a program to an open perf event. The link keeps the event.
pub(super) fn link_perf_event(
    program: BorrowedFd<'_>,
    event: BorrowedFd<'_>,
    cookie: u64,
) -> io::Result<OwnedFd> {
    let mut attr = LinkCreatePerf {
        prog_fd: program.as_raw_fd() as u32,
        target_fd: event.as_raw_fd() as u32,
        attach_type: BPF_PERF_EVENT,
        flags: 0,
        cookie,
    };
    bpf(BPF_LINK_CREATE, &mut attr).map(owned)
}

#[repr(C)]
struct RawTracepointOpen {
    name: u64,
    prog_fd: u32,
    reserved: u32,
    cookie: u64,
}

/// Attaches a program to a raw tracepoint.
pub(super) fn link_raw_tracepoint(program: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    let mut attr = RawTracepointOpen {
        name: name.as_ptr() as u64,
        prog_fd: program.as_raw_fd() as u32,
        reserved: 0,
        cookie: 0,
    };
    bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attr).map(owned)
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
}

/// Runs a raw tracepoint program once, in this thread, with these words as its context, and gives what it returned.
pub(super) fn test_run(program: BorrowedFd<'_>, context: &[u64]) -> io::Result<u32> {
    let mut attr = TestRun {
        prog_fd: program.as_raw_fd() as u32,
        ctx_size_in: size_of_val(context) as u32,
        ctx_in: if context.is_empty() { 0 } else { context.as_ptr() as u64 },
        ..TestRun::default()
    };
    bpf(BPF_PROG_TEST_RUN, &mut attr)?;
    Ok(attr.retval)
}

/// The first part of `struct bpf_prog_info`, up to `run_cnt`.
#[repr(C)]
#[derive(Default)]
struct ProgInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_len: u32,
    xlated_len: u32,
    jited_insns: u64,
    xlated_insns: u64,
    load_time: u64,
    created_by_uid: u32,
    nr_map_ids: u32,
    map_ids: u64,
    name: [u8; 16],
    ifindex: u32,
    gpl_compatible: u32,
    netns_dev: u64,
    netns_ino: u64,
    nr_jited_ksyms: u32,
    nr_jited_func_lens: u32,
    jited_ksyms: u64,
    jited_func_lens: u64,
    btf_id: u32,
    func_info_rec_size: u32,
    func_info: u64,
    nr_func_info: u32,
    nr_line_info: u32,
    line_info: u64,
    jited_line_info: u64,
    nr_jited_line_info: u32,
    line_info_rec_size: u32,
    jited_line_info_rec_size: u32,
    nr_prog_tags: u32,
    prog_tags: u64,
    run_time_ns: u64,
    run_cnt: u64,
}

#[repr(C)]
struct GetInfo {
    fd: u32,
    len: u32,
    info: u64,
}

/// Time in nanoseconds that a program ran and how often, while statistics were on.
pub(super) fn run_stats(program: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let mut info = ProgInfo::default();
    let mut attr = GetInfo {
        fd: program.as_raw_fd() as u32,
        len: size_of::<ProgInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok((info.run_time_ns, info.run_cnt))
}

/// The first part of `struct bpf_map_info`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MapInfo {
    pub(super) kind: u32,
    pub(super) id: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) flags: u32,
}

/// What a map is.
pub(super) fn map_info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    let mut info = MapInfo::default();
    let mut attr = GetInfo {
        fd: map.as_raw_fd() as u32,
        len: size_of::<MapInfo>() as u32,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

#[repr(C)]
struct EnableStats {
    kind: u32,
}

/// Turns the kernel's run-time statistics on until the descriptor is closed.
pub(super) fn enable_stats() -> io::Result<OwnedFd> {
    bpf(BPF_ENABLE_STATS, &mut EnableStats { kind: 0 }).map(owned)
}

/// `struct perf_event_attr` in its first version (64 bytes), `PERF_ATTR_SIZE_VER0`, plus `config2` (VER1).
#[repr(C)]
#[derive(Default)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
}

/// Opens a uprobe as a perf event, for all processes, or one at the return of the function that begins there. `pmu` is the
/// type number of the uprobe PMU.
pub(super) fn open_uprobe_event(
    pmu: u32,
    path: &CStr,
    offset: u64,
    semaphore: u64,
    returns: bool,
) -> io::Result<OwnedFd> {
    let attr = PerfEventAttr {
        kind: pmu,
        size: size_of::<PerfEventAttr>() as u32,
        // PERF_UPROBE_REF_CTR_OFFSET_SHIFT: the semaphore's file offset is in bits 32 to 63. Bit 0 is `retprobe`.
        config: semaphore << 32 | u64::from(returns),
        config1: path.as_ptr() as u64,
        config2: offset,
        ..PerfEventAttr::default()
    };
    const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;
    // SAFETY: attr is a valid perf_event_attr of the size it names, and path outlives the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, std::ptr::from_ref(&attr), -1, 0, -1, PERF_FLAG_FD_CLOEXEC)
    };
    if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(owned(fd as libc::c_int)) }
}

const _: () = assert!(size_of::<ProgLoad>() == 96);
const _: () = assert!(size_of::<LinkCreateMulti>() == 64);
const _: () = assert!(size_of::<TestRun>() == 72);
const _: () = assert!(size_of::<ProgInfo>() == 208);
const _: () = assert!(size_of::<PerfEventAttr>() == 72);
