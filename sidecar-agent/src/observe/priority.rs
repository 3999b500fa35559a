//! The priority of the threads between the ring and the consumer, and of the one that programs wait for.
//!
//! Tests that keep every processor busy would hold up an equal for longer than the ring and the queue have room for.
//! These threads need the same little time either way, only sooner.

/// As `nice` has it.
const NICENESS: i32 = -10;

/// Puts the calling thread before ordinary ones. Without CAP_SYS_NICE it stays an equal. What a thread starts
/// inherits its priority, so this is for threads that start nothing.
pub(super) fn raise() {
    // None is the calling thread alone, because Linux has priorities for threads.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!("a thread has ordinary priority: {error}");
    }
}
