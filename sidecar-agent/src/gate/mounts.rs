//! Which filesystems the gate watches, read from /proc/self/mountinfo.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Which filesystems the gate watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filesystems {
    /// Every local one that is mounted now or later.
    #[default]
    Local,
    /// The ones that hold these paths.
    Only(Vec<PathBuf>),
}

/// Filesystems that answer from this machine's own disks and memory, and whose files root can always open.
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "iso9660", "jfs",
    "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "squashfs", "tmpfs", "ubifs", "udf", "vfat",
    "virtiofs", "xfs", "zfs",
];

/// Filesystems of the kernel's own, which hold no programs.
const PSEUDO: &[&str] = &[
    "autofs",
    "binder",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sysfs",
    "tracefs",
];

/// What to do with a mounted filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Watch it.
    Mark,
    /// It can't hold programs.
    Skip,
    /// It may hold programs, but watching it could hang or refuse them (network, FUSE, unknown).
    LeaveOut,
}

/// One line of mountinfo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// `major:minor`, one for each filesystem.
    device: String,
    /// Where it is mounted.
    pub(super) path: PathBuf,
    /// Its type, without a subtype (`fuse` for `fuse.sshfs`).
    kind: String,
    noexec: bool,
}

impl Mount {
    pub(super) fn choice(&self) -> Choice {
        let kind = self.kind.as_str();
        if self.noexec || PSEUDO.contains(&kind) {
            Choice::Skip
        } else if LOCAL.contains(&kind) {
            Choice::Mark
        } else {
            Choice::LeaveOut
        }
    }
}

/// The mounts of which something is to be said, one for each filesystem. Lines that are not understood are
/// passed over.
pub(super) fn parse(mountinfo: &[u8]) -> Vec<Mount> {
    let mut seen = HashSet::new();
    mountinfo
        .split(|&byte| byte == b'\n')
        .filter_map(parse_line)
        .filter(|mount| mount.choice() != Choice::Skip && seen.insert(mount.device.clone()))
        .collect()
}

/// `id parent major:minor root path options [optional...] - type source options` (proc_pid_mountinfo(5)).
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?.to_owned();
    let path = unescape(fields.nth(1)?);
    let noexec = fields.next()?.split(|&byte| byte == b',').any(|option| option == b"noexec");
    let kind = std::str::from_utf8(fields.skip_while(|field| *field != b"-").nth(1)?).ok()?;
    let kind = kind.split('.').next().unwrap_or(kind).to_owned();
    let path = PathBuf::from(OsString::from_vec(path));
    path.is_absolute().then_some(Mount { device, path, kind, noexec })
}

/// Turns `\040` and its like back into the byte; mountinfo escapes space, tab, newline and backslash so.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'\\'
            && let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = tail
        {
            bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

/// Every mount, in the order in which they were made, and whether a look into it may have to wait for somebody: a server,
/// a program (FUSE), an automounter. Unknown ones may.
#[must_use]
pub fn waiting(mountinfo: &[u8]) -> Vec<(PathBuf, bool)> {
    let waits = |mount: &Mount| {
        let kind = mount.kind.as_str();
        kind == "autofs" || !(LOCAL.contains(&kind) || PSEUDO.contains(&kind))
    };
    let mounts = mountinfo.split(|&byte| byte == b'\n').filter_map(parse_line);
    mounts.map(|mount| (waits(&mount), mount.path)).map(|(waits, path)| (path, waits)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const SAMPLE: &[u8] = b"22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
28 27 254:0 /home /home rw - ext4 /dev/vda rw
29 27 0:30 / /mnt/with\\040space\\134 rw - tmpfs tmpfs rw
30 27 0:31 / /mnt/noexec rw,nosuid,noexec - tmpfs tmpfs rw
31 27 0:32 / /mnt/remote rw - nfs4 server:/x rw
32 27 0:33 / /mnt/ssh rw - fuse.sshfs me@there rw
33 27 0:34 / /mnt/odd rw - neverheard x rw
nonsense
34 27 0:35 / relative rw - ext4 x rw
35 27 0:36 / /mnt/cut rw -
";

    #[test]
    fn chooses_one_mount_for_each_filesystem_that_can_hold_programs() {
        let chosen: Vec<_> = parse(SAMPLE)
            .iter()
            .map(|mount| (mount.path.to_str().unwrap().to_owned(), mount.kind.clone(), mount.choice()))
            .collect();
        let expected = [
            ("/", "ext4", Choice::Mark),
            ("/mnt/with space\\", "tmpfs", Choice::Mark),
            ("/mnt/remote", "nfs4", Choice::LeaveOut),
            ("/mnt/ssh", "fuse", Choice::LeaveOut),
            ("/mnt/odd", "neverheard", Choice::LeaveOut),
        ];
        assert_eq!(chosen, expected.map(|(path, kind, choice)| (path.to_owned(), kind.to_owned(), choice)));
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_in_a_path() {
        let mounts = parse(b"1 1 0:1 / /\xff\\011x rw - ext4 a rw");
        assert_eq!(mounts[0].path.as_os_str().as_encoded_bytes(), b"/\xff\tx");
    }

    #[test]
    fn servers_programs_and_automounters_may_keep_waiting() {
        let all = [SAMPLE, b"36 27 0:36 / /net rw - autofs x rw\n37 27 0:37 / /nfs rw,noexec - nfs x rw\n"]
            .concat();
        let waiting = waiting(&all).into_iter().filter(|(_, waits)| *waits);
        let paths: Vec<_> = waiting.map(|(path, _)| path.to_str().unwrap().to_owned()).collect();
        assert_eq!(paths, ["/mnt/remote", "/mnt/ssh", "/mnt/odd", "/net", "/nfs"]);
    }

    #[test]
    fn this_machine_has_a_root_filesystem() {
        let mounts = parse(&std::fs::read("/proc/self/mountinfo").unwrap());
        assert!(mounts.iter().any(|mount| mount.path == Path::new("/")), "{mounts:?}");
    }
}
