//! Offsets of kernel structure members, from the running kernel's BTF. Format: the kernel's
//! Documentation/bpf/btf.rst. rustc can't emit CO-RE relocations, so the programs get these as numbers.

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

/// The offsets that the fork and exit programs need, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) task_tgid: u32,
    pub(super) task_signal: u32,
    pub(super) signal_live: u32,
    pub(super) task_exit_code: u32,
    /// 0 if there is none: what it tells is nothing that is needed.
    pub(super) signal_oom_mm: u32,
}

/// Reads the running kernel's offsets.
pub(super) fn offsets() -> Result<Offsets, BpfError> {
    let bytes = std::fs::read("/sys/kernel/btf/vmlinux").map_err(|error| BpfError::Btf(error.to_string()))?;
    let find = |structure: &str, member: &str| {
        member_offset(&bytes, structure, member)
            .ok_or_else(|| BpfError::Btf(format!("struct {structure} has no plain member {member}")))
    };
    Ok(Offsets {
        task_tgid: find("task_struct", "tgid")?,
        task_signal: find("task_struct", "signal")?,
        signal_live: find("signal_struct", "live")?,
        task_exit_code: find("task_struct", "exit_code")?,
        signal_oom_mm: find("signal_struct", "oom_mm").unwrap_or(0),
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

/// Byte offset of a member that stands directly in a structure (not inside an anonymous one, not a bit field).
fn member_offset(bytes: &[u8], structure: &str, member: &str) -> Option<u32> {
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
        if kind == KIND_STRUCT && name_is(strings, name, structure) {
            for i in 0..count {
                let entry = body + 12 * i;
                if name_is(strings, word(types, entry)?, member) {
                    let raw = word(types, entry + 8)?;
                    let bits = if bit_fields { raw & 0xff_ffff } else { raw };
                    return (bits % 8 == 0 && (!bit_fields || raw >> 24 == 0)).then_some(bits / 8);
                }
            }
        }
        at = body + body_len;
    }
    None
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
        assert_eq!(
            found.task_tgid,
            member_offset(&bytes, "task_struct", "pid").unwrap() + 4,
            "pid, tgid are neighbours"
        );
        assert_eq!(member_offset(&bytes, "task_struct", "no_such_member"), None);
        assert_eq!(member_offset(&bytes, "no_such_struct", "pid"), None);
    }

    #[test]
    fn bad_bytes_are_no_member() {
        for bytes in [&[][..], &[0x9f, 0xeb], &[0; 64], &[0xff; 64]] {
            assert_eq!(member_offset(bytes, "task_struct", "pid"), None);
        }
        if let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") {
            for len in [10, 24, 25, 1000, bytes.len() / 2] {
                member_offset(&bytes[..len], "task_struct", "no_such_member");
            }
        }
    }
}
