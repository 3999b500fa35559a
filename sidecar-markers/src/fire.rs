//! Fires markers: copies the strings, then calls the marker's function. Called only while somebody listens.

use crate::text::Buffer;

#[cfg(not(test))]
use crate::marker;
// The unit tests see what a tracer would see.
#[cfg(test)]
use crate::witness as marker;

/// What `test_start` carries.
pub(crate) struct Start<'a> {
    pub(crate) key: u64,
    pub(crate) test_id: Option<&'a [u8]>,
    pub(crate) run_id: Option<&'a [u8]>,
    pub(crate) suite: Option<&'a [u8]>,
    pub(crate) attempt: u32,
}

/// What `test_end` carries.
pub(crate) struct End<'a> {
    pub(crate) key: u64,
    pub(crate) test_id: Option<&'a [u8]>,
    pub(crate) status: u32,
    pub(crate) duration_ns: u64,
    pub(crate) message: Option<&'a [u8]>,
    pub(crate) attempt: u32,
}

/// What `event` carries.
pub(crate) struct Happened<'a> {
    pub(crate) key: u64,
    pub(crate) event_type: Option<&'a [u8]>,
    pub(crate) test_id: Option<&'a [u8]>,
    pub(crate) run_id: Option<&'a [u8]>,
    pub(crate) data: Option<&'a [u8]>,
}

#[cold]
#[inline(never)]
pub(crate) fn test_start(it: &Start<'_>) {
    let (mut test_id, mut run_id, mut suite) = (Buffer::new(), Buffer::new(), Buffer::new());
    marker::test_start(
        it.key,
        test_id.string(it.test_id),
        run_id.string(it.run_id),
        suite.string(it.suite),
        it.attempt,
    );
}

#[cold]
#[inline(never)]
pub(crate) fn test_end(it: &End<'_>) {
    let (mut test_id, mut message) = (Buffer::new(), Buffer::new());
    marker::test_end(
        it.key,
        test_id.string(it.test_id),
        it.status,
        it.duration_ns,
        message.string(it.message),
        it.attempt,
    );
}

#[cold]
#[inline(never)]
pub(crate) fn event(it: &Happened<'_>) {
    let (mut event_type, mut test_id, mut run_id, mut payload) =
        (Buffer::new(), Buffer::new(), Buffer::new(), Buffer::new());
    let (data, data_len) = payload.bytes(it.data);
    marker::event(
        it.key,
        event_type.string(it.event_type),
        test_id.string(it.test_id),
        run_id.string(it.run_id),
        data,
        data_len,
    );
}

#[cold]
#[inline(never)]
pub(crate) fn anomaly(signal: Option<&[u8]>, kind: Option<&[u8]>) {
    let (mut signal_copy, mut kind_copy) = (Buffer::new(), Buffer::new());
    marker::anomaly(signal_copy.string(signal), kind_copy.string(kind));
}
