//! Events for tests.

use sidecar_common::Status;

use crate::event::Event;
use crate::mapping::EventKind;

/// An event of a type about a test.
pub(crate) fn event(event_type: &str, test_id: &str, status: Option<Status>) -> Event {
    Event {
        time_ns: 0,
        event_type: event_type.into(),
        signal: "test_events".into(),
        provider: "sidecar".into(),
        marker: "m".into(),
        test_id: Some(test_id.to_owned()),
        run_id: None,
        suite: None,
        attempt: None,
        status,
        duration_ns: None,
        message: None,
        pid: 1,
        tid: 1,
        comm: String::new(),
        cgroup_id: 0,
        container_id: None,
        sample_rate: 1.0,
        data: serde_json::Map::new(),
        key: None,
        precious: false,
        kind: EventKind::Generic,
    }
}
