//! Offsets of kernel structure members, from the running kernel's BTF. Format: the kernel's
//! Documentation/bpf/btf.rst. rustc can't emit CO-RE relocations, so the programs get these as numbers.

use std::collections::HashMap;

use sidecar_common::ImageOffsets;

use super::BpfError;

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// The offsets that the programs need, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) task_tgid: u32,
    pub(super) task_signal: u32,
    pub(super) signal_live: u32,
    pub(super) task_exit_code: u32,
    /// Where the exec program finds what an image is told by. Without it, every image is new to it.
    pub(super) images: Option<ImageOffsets>,
    /// 0 if there is none: what it tells is nothing that is needed.
    pub(super) signal_oom_mm: u32,
}

/// A structure and its member.
type Member = (&'static str, &'static str);

const TGID: Member = ("task_struct", "tgid");
const SIGNAL: Member = ("task_struct", "signal");
const LIVE: Member = ("signal_struct", "live");
const EXIT_CODE: Member = ("task_struct", "exit_code");
const OOM: Member = ("signal_struct", "oom_mm");
const FILE: Member = ("linux_binprm", "file");
const INODE: Member = ("file", "f_inode");
const INO: Member = ("inode", "i_ino");
const SIZE: Member = ("inode", "i_size");
/// The times are members of their own from 6.11 on, and structures of seconds and nanoseconds before, which two names.
const TIMES: [[Member; 4]; 3] = [
    [
        ("inode", "i_mtime_sec"),
        ("inode", "i_mtime_nsec"),
        ("inode", "i_ctime_sec"),
        ("inode", "i_ctime_nsec"),
    ],
    [("inode", "__i_mtime"), ("inode", "__i_mtime"), ("inode", "__i_ctime"), ("inode", "__i_ctime")],
    [("inode", "i_mtime"), ("inode", "i_mtime"), ("inode", "i_ctime"), ("inode", "i_ctime")],
];
/// Where a `struct timespec64` has its nanoseconds.
const TIMESPEC_NSEC: u32 = 8;

/// Reads the running kernel's offsets.
pub(super) fn offsets() -> Result<Offsets, BpfError> {
    let bytes = std::fs::read("/sys/kernel/btf/vmlinux").map_err(|error| BpfError::Btf(error.to_string()))?;
    let mut members = vec![TGID, SIGNAL, LIVE, EXIT_CODE, OOM, FILE, INODE, INO, SIZE];
    members.extend(TIMES.iter().flatten());
    let found = member_offsets(&bytes, &members);
    let find = |member: Member| found.get(&member).copied();
    let need = |member: Member| {
        let (structure, name) = member;
        find(member).ok_or_else(|| BpfError::Btf(format!("struct {structure} has no plain member {name}")))
    };
    Ok(Offsets {
        task_tgid: need(TGID)?,
        task_signal: need(SIGNAL)?,
        signal_live: need(LIVE)?,
        task_exit_code: need(EXIT_CODE)?,
        signal_oom_mm: find(OOM).unwrap_or(0),
        images: images(&find),
    })
}

fn images(find: &impl Fn(Member) -> Option<u32>) -> Option<ImageOffsets> {
    let times = TIMES.iter().find_map(|[mtime, mtime_nsec, ctime, ctime_nsec]| {
        let nanoseconds = |seconds: &Member, member: &Member| {
            Some(find(*member)? + if seconds == member { TIMESPEC_NSEC } else { 0 })
        };
        let mtime_nsec = nanoseconds(mtime, mtime_nsec)?;
        Some((find(*mtime)?, mtime_nsec, find(*ctime)?, nanoseconds(ctime, ctime_nsec)?))
    });
    let (mtime, mtime_nsec, ctime, ctime_nsec) = times?;
    Some(ImageOffsets {
        binprm_file: find(FILE)?,
        file_inode: find(INODE)?,
        ino: find(INO)?,
        size: find(SIZE)?,
        mtime,
        mtime_nsec,
        ctime,
        ctime_nsec,
        known: 1,
        ..ImageOffsets::default()
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn name_is(strings: &[u8], offset: u32, name: &str) -> bool {
    strings
        .get(offset as usize..)
        .and_then(|rest| rest.strip_prefix(name.as_bytes()))
        .is_some_and(|rest| rest.first() == Some(&0))
}

/// Byte offsets of members that stand directly in their structures (not inside an anonymous one, not a bit field); those
/// that are not found are left out.
fn member_offsets(bytes: &[u8], members: &[Member]) -> HashMap<Member, u32> {
    let mut found = HashMap::new();
    // What is malformed ends the search; what was found before it is right.
    let _ = search(bytes, members, &mut found);
    found
}

fn search(bytes: &[u8], members: &[Member], found: &mut HashMap<Member, u32>) -> Option<()> {
    if word(bytes, 0)? & 0xffff != 0xeb9f {
        return None;
    }
    let header = word(bytes, 4)? as usize;
    let section = |offset_at: usize| -> Option<&[u8]> {
        let start = header.checked_add(word(bytes, offset_at)? as usize)?;
        bytes.get(start..start.checked_add(word(bytes, offset_at + 4)? as usize)?)
    };
    let types = section(8)?;
    let strings = section(16)?;
    let mut at = 0;
    while at < types.len() {
        let name = word(types, at)?;
        let info = word(types, at + 4)?;
        let count = (info & 0xffff) as usize;
        let kind = (info >> 24) & 0x1f;
        let bit_fields = info >> 31 == 1;
        let body = at + 12;
        let body_len = match kind {
            KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
            KIND_ARRAY => 12,
            KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => 12 * count,
            KIND_ENUM | KIND_FUNC_PROTO => 8 * count,
            _ => 0,
        };
        if kind == KIND_STRUCT && members.iter().any(|(structure, _)| name_is(strings, name, structure)) {
            for i in 0..count {
                let entry = body + 12 * i;
                let member_name = word(types, entry)?;
                let raw = word(types, entry + 8)?;
                let bits = if bit_fields { raw & 0xff_ffff } else { raw };
                if bits % 8 != 0 || (bit_fields && raw >> 24 != 0) {
                    continue;
                }
                for member in members {
                    if name_is(strings, name, member.0) && name_is(strings, member_name, member.1) {
                        // Of two structures with one name, the first is the kernel's own.
                        found.entry(*member).or_insert(bits / 8);
                    }
                }
            }
        }
        at = body + body_len;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_tells_where_its_members_are() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            eprintln!("skipped: this kernel has no BTF");
            return;
        };
        let found = offsets().unwrap();
        let pid = ("task_struct", "pid");
        let others =
            member_offsets(&bytes, &[pid, ("task_struct", "no_such_member"), ("no_such_struct", "pid")]);
        assert_eq!(others.len(), 1);
        assert_eq!(found.task_tgid, others[&pid] + 4, "pid, tgid are neighbours");
        let images = found.images.unwrap();
        assert!(images.known == 1 && images.size != images.ino && images.mtime != images.ctime, "{images:?}");
    }

    #[test]
    fn times_are_found_by_their_names_of_any_kernel() {
        let plain = |(_, name): Member| Some(name.len() as u32);
        let split = images(&plain).unwrap();
        assert_eq!((split.mtime, split.mtime_nsec, split.ctime, split.ctime_nsec), (11, 12, 11, 12));
        let older = |member: Member| if member.1.ends_with("sec") { None } else { plain(member) };
        let timespec = images(&older).unwrap();
        assert_eq!((timespec.mtime, timespec.mtime_nsec), (9, 17));
        assert_eq!(images(&|member| if member.1.contains("time") { None } else { plain(member) }), None);
    }

    #[test]
    fn bad_bytes_are_no_member() {
        for bytes in [&[][..], &[0x9f, 0xeb], &[0; 64], &[0xff; 64]] {
            assert!(member_offsets(bytes, &[TGID]).is_empty());
        }
        if let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") {
            for len in [10, 24, 25, 1000, bytes.len() / 2] {
                member_offsets(&bytes[..len], &[("task_struct", "no_such_member")]);
            }
        }
    }
}
