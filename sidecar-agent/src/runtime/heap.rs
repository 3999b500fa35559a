//! Gives back to the system what the allocator keeps of memory that was freed.

/// Has the allocator give back what it can. Takes some milliseconds; to be called when memory presses, not often.
#[cfg(target_env = "gnu")]
pub(super) fn trim() {
    // SAFETY: the function takes no pointers, and locks what it touches.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators than glibc's have no such call.
#[cfg(not(target_env = "gnu"))]
pub(super) fn trim() {}
