//! The event of a test whose process ended before it.

use std::sync::Arc;

use nix::sys::signal::Signal;
use serde_json::{Map, Value as Json};
use sidecar_common::{EXIT_OOM, RATE_ONE, RecordHeader, Status};

use super::{Event, MISSING, Reading, Record, TRUNCATED};
use crate::mapping::EventKind;

/// [`Event::marker`] of a test that ended with its process: none has told of it.
const MARKER: &str = "process_exit";
/// [`Event::event_type`] of it.
const EVENT_TYPE: &str = "test_failure";

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Status(u32),
    Signal {
        number: i32,
        dumped: bool,
        /// The kernel chose it, for want of memory.
        oom: bool,
    },
}

impl Exit {
    /// From the number that `wait` tells.
    fn of(code: u32) -> Self {
        match (code & 0x7f) as i32 {
            0 => Self::Status(code >> 8 & 0xff),
            number => Self::Signal { number, dumped: code & 0x80 != 0, oom: code & EXIT_OOM != 0 },
        }
    }

    fn message(self) -> String {
        match self {
            Self::Status(status) => {
                format!("its process exited with status {status} before the test had ended")
            }
            Self::Signal { number, dumped, oom } => {
                let dumped = if dumped { " (core dumped)" } else { "" };
                let oom =
                    if oom { ": the kernel was out of memory, or its cgroup was at its limit" } else { "" };
                format!("its process was killed by {}{dumped}{oom}", name(number))
            }
        }
    }

    fn tell(self, data: &mut Map<String, Json>) {
        match self {
            Self::Status(status) => data.insert("exit_status".to_owned(), status.into()),
            Self::Signal { number, oom, .. } => {
                if oom {
                    data.insert("out_of_memory".to_owned(), true.into());
                }
                data.insert("exit_signal".to_owned(), number.into());
                data.insert("exit_signal_name".to_owned(), name(number).into())
            }
        };
    }
}

fn name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

impl Event {
    /// The end of a test whose process ended, from the record of that, which is otherwise its start's.
    #[must_use]
    pub fn aborted(record: &Record, reading: &Reading<'_>, mono_to_utc_ns: i64) -> Self {
        let RecordHeader { rate: started_ns, time_ns, exit_code, .. } = record.header;
        let header = RecordHeader { rate: RATE_ONE, ..record.header };
        let start = Self::from_site(&Record { header, args: record.args.clone() }, reading, mono_to_utc_ns);
        let exit = Exit::of(exit_code);
        // What the start carried is told there.
        let mut data = start.data;
        data.retain(|key, _| key == MISSING || key == TRUNCATED);
        exit.tell(&mut data);
        Self {
            event_type: Arc::from(EVENT_TYPE),
            marker: Arc::from(MARKER),
            status: Some(Status::Aborted),
            duration_ns: Some(time_ns.saturating_sub(started_ns)),
            message: Some(exit.message()),
            data,
            kind: EventKind::TestEnd,
            ..start
        }
    }
}

#[cfg(test)]
mod tests {
    use sidecar_common::RECORD_ABORT;

    use super::*;
    use crate::event::{
        decode,
        records::{encode, header_of},
    };
    use crate::mapping;

    #[test]
    fn how_a_process_ended_is_told_by_signal_or_status() {
        let told = |code: u32| Exit::of(code).message();
        assert_eq!(told(9), "its process was killed by SIGKILL");
        assert_eq!(told(0x80 | 11), "its process was killed by SIGSEGV (core dumped)");
        let oom =
            "its process was killed by SIGKILL: the kernel was out of memory, or its cgroup was at its limit";
        assert_eq!(told(9 | EXIT_OOM), oom);
        assert_eq!(told(40), "its process was killed by signal 40");
        assert_eq!(told(0), "its process exited with status 0 before the test had ended");
        assert_eq!(told(3 << 8), "its process exited with status 3 before the test had ended");
        for code in [u32::MAX, 0x7f, 0xff00, 1 << 31] {
            told(code);
        }
    }

    #[test]
    fn the_event_is_an_end_of_the_started_test_with_the_time_between() {
        let mapping = mapping::builtin().into_iter().find(|mapping| mapping.marker == "test_start").unwrap();
        let header = RecordHeader { rate: 1_000, time_ns: 5_000, exit_code: 9, ..header_of(RECORD_ABORT) };
        let record = decode(&encode(header, &[])).unwrap();
        let event = Event::aborted(&record, &Reading::new(&mapping, 0), 0);
        assert_eq!((event.kind, event.status), (EventKind::TestEnd, Some(Status::Aborted)));
        assert_eq!(
            (&*event.event_type, &*event.provider, &*event.marker),
            ("test_failure", "sidecar", MARKER)
        );
        assert_eq!((event.duration_ns, event.sample_rate, event.time_ns), (Some(4_000), 1.0, 5_000));
        assert_eq!(event.data["exit_signal"], 9);
        assert_eq!(event.data["exit_signal_name"], "SIGKILL");
        // A clock that seems to go back is no duration of centuries.
        let header = RecordHeader { rate: u64::MAX, ..header };
        let record = decode(&encode(header, &[])).unwrap();
        assert_eq!(Event::aborted(&record, &Reading::new(&mapping, 0), 0).duration_ns, Some(0));
    }
}
