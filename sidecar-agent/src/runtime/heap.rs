//! Gives back to the system what the allocator keeps of memory that was freed.

/// Has the allocator give back what it can, which takes some milliseconds at most. To be called after work that needed
/// much memory for a short time: reading the kernel's type information, debug files, a burst of events.
#[cfg(target_env = "gnu")]
pub(super) fn trim() {
    // SAFETY: the function takes no pointers, and locks what it touches.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators than glibc's have no such call.
#[cfg(not(target_env = "gnu"))]
pub(super) fn trim() {}
