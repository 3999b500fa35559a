//! Images as the exec program knows them: those of which the agent wants to hear no more at once.

/// Images that the agent can have remembered; the longest unused give way.
pub const MAX_KNOWN: u32 = 8192;

/// A known image is told of without waking the reader, unless nothing has woken it for so long, in nanoseconds: what its
/// process maps later is looked for from then on.
pub const QUIET_NS: u64 = 100_000_000;

/// Where members of the kernel's structures lie, in bytes, from the running kernel's BTF; and how images are remembered.
/// Only the agent writes it. 48 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageOffsets {
    /// `file` in `struct linux_binprm`.
    pub binprm_file: u32,
    /// `f_inode` in `struct file`.
    pub file_inode: u32,
    /// `i_ino` in `struct inode`.
    pub ino: u32,
    /// `i_size` in `struct inode`.
    pub size: u32,
    /// Seconds of the last change of the content, in `struct inode`.
    pub mtime: u32,
    /// Their nanoseconds.
    pub mtime_nsec: u32,
    /// Seconds of the last change of content or inode.
    pub ctime: u32,
    /// Their nanoseconds.
    pub ctime_nsec: u32,
    /// 1: the offsets are known, so that images can be.
    pub known: u32,
    /// Zero.
    pub reserved: u32,
    /// What every key has that counts: changing it forgets all images.
    pub epoch: u64,
}

/// An image, as far as the exec program can tell one from another. Without the device: who can choose an inode's number,
/// its size and both times to the nanosecond, the last of which the kernel sets, has a file system of his own and hides
/// nothing but his own program. 40 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImageKey {
    /// Inode number.
    pub ino: u64,
    /// Length in bytes.
    pub size: u64,
    /// Last change of the content, nanoseconds since the epoch.
    pub mtime_ns: i64,
    /// Last change of content or inode, nanoseconds since the epoch.
    pub ctime_ns: i64,
    /// [`ImageOffsets::epoch`] when it was remembered.
    pub epoch: u64,
}

const _: () = assert!(size_of::<ImageOffsets>() == 48);
const _: () = assert!(size_of::<ImageKey>() == 40);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), integers only, no implicit padding (the sizes are asserted above).
    unsafe impl aya::Pod for super::ImageOffsets {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::ImageKey {}
}
