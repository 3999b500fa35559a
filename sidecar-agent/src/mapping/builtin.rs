//! The mappings that ship: this project's own markers and those of cargo-nextest.

use sidecar_common::Status;

use super::{ArgKind, ArgMapping, DurationUnit, EventKind, Mapping, Role, StatusValue};

/// The built-in mappings: providers `sidecar` and `nextest`.
#[must_use]
pub fn builtin() -> Vec<Mapping> {
    sidecar().into_iter().chain(nextest()).collect()
}

/// The library that carries this project's markers for programs in other languages than Rust. It is looked for in the
/// loader's folders before any program has it.
pub const LIBRARY: &str = "libsidecar_markers.so";

/// Whether a file of this name carries this project's markers: the library in any version, and what the clients for other
/// languages load (`libsidecar_jni.so`, `_sidecar_native.abi3.so`, `sidecar_native.node`). Such are wanted without a word
/// in the config, wherever a program maps them from.
#[must_use]
pub fn is_own_library(file_name: &[u8]) -> bool {
    let contains = |part: &[u8]| file_name.windows(part.len()).any(|window| window == part);
    let is_library = contains(b".so") || contains(b".node");
    is_library && (file_name.starts_with(b"libsidecar") || contains(b"sidecar_native"))
}

pub(super) fn arg(name: &str, role: Role, kind: ArgKind) -> ArgMapping {
    ArgMapping { name: name.to_owned(), role, kind, signed: None }
}

/// An argument named after its role.
fn role(role: Role, kind: ArgKind) -> ArgMapping {
    arg(role.word(), role, kind)
}

/// This project's own markers, in the C ABI's argument order. A NULL string is no value.
pub(super) fn sidecar() -> Vec<Mapping> {
    use ArgKind::{Integer, String};

    let marker = |name: &str, event, signal: &str, args| Mapping {
        provider: "sidecar".to_owned(),
        marker: name.to_owned(),
        event,
        event_type: None,
        signal: signal.to_owned(),
        args,
        status: Vec::new(),
    };
    vec![
        marker(
            "test_start",
            EventKind::TestStart,
            "test_events",
            vec![
                role(Role::Key, Integer),
                role(Role::TestId, String),
                role(Role::RunId, String),
                role(Role::Suite, String),
                role(Role::Attempt, Integer),
            ],
        ),
        marker(
            "test_end",
            EventKind::TestEnd,
            "test_events",
            vec![
                role(Role::Key, Integer),
                role(Role::TestId, String),
                role(Role::Status, Integer),
                role(Role::Duration(DurationUnit::Nanoseconds), Integer),
                role(Role::Message, String),
                role(Role::Attempt, Integer),
            ],
        ),
        marker(
            "event",
            EventKind::Generic,
            "events",
            vec![
                role(Role::Key, Integer),
                role(Role::EventType, String),
                role(Role::TestId, String),
                role(Role::RunId, String),
                role(Role::Data, ArgKind::Bytes { len_arg: 5 }),
                arg("data_len", Role::Ignore, Integer),
            ],
        ),
        marker(
            "anomaly",
            EventKind::Anomaly,
            "events",
            vec![role(Role::Signal, String), arg("kind", Role::Plain, String)],
        ),
    ]
}

/// The markers of cargo-nextest, as version 0.9.143 was seen to fire them. They are not part of its stability
/// guarantees (<https://nexte.st/docs/integrations/usdt>).
///
/// The results are `pass`, `leak`, `fail`, `timeout` and `exec-fail`. `leak` passed, unless the profile's
/// `leak-timeout` says that leaks fail: the marker does not tell. An abort is `fail` with an `exit_code` of
/// null in the JSON argument. For a test that is skipped no marker fires.
pub(super) fn nextest() -> Vec<Mapping> {
    use ArgKind::{Integer, String};

    let marker = |name: &str, event, event_type: Option<&str>, args| Mapping {
        provider: "nextest".to_owned(),
        marker: name.to_owned(),
        event,
        event_type: event_type.map(str::to_owned),
        signal: "test_events".to_owned(),
        args,
        status: Vec::new(),
    };
    let results = || {
        [
            ("pass", Status::Passed),
            ("leak", Status::Passed),
            ("fail", Status::Failed),
            ("timeout", Status::Timeout),
            ("exec-fail", Status::Error),
        ]
        .map(|(word, status)| (StatusValue::Word(word.to_owned()), status))
        .to_vec()
    };
    let attempt = |more: &[ArgMapping]| {
        let mut args = vec![
            arg("nextest", Role::Json, String),
            role(Role::AttemptId, String),
            role(Role::Suite, String),
            role(Role::TestName, String),
        ];
        args.extend_from_slice(more);
        args
    };
    let script = |more: &[ArgMapping]| {
        let mut args = vec![
            arg("nextest", Role::Json, String),
            role(Role::AttemptId, String),
            arg("script", Role::Plain, String),
        ];
        args.extend_from_slice(more);
        args
    };
    let run = || vec![arg("nextest", Role::Json, String), role(Role::RunId, String)];
    let elapsed = || arg("elapsed_ns", Role::Plain, Integer);
    let outcome = || [role(Role::Status, String), role(Role::Duration(DurationUnit::Nanoseconds), Integer)];

    vec![
        marker("run-start", EventKind::Generic, None, run()),
        marker("run-done", EventKind::Generic, Some("run_end"), run()),
        marker(
            "test-attempt-start",
            EventKind::TestStart,
            None,
            attempt(&[arg("test_pid", Role::Plain, Integer)]),
        ),
        Mapping {
            status: results(),
            ..marker("test-attempt-done", EventKind::TestEnd, None, attempt(&outcome()))
        },
        marker("test-attempt-slow", EventKind::Generic, Some("test_slow"), attempt(&[elapsed()])),
        marker(
            "setup-script-start",
            EventKind::Generic,
            None,
            script(&[arg("script_pid", Role::Plain, Integer)]),
        ),
        Mapping {
            status: results(),
            ..marker("setup-script-done", EventKind::Generic, Some("setup_script_end"), script(&outcome()))
        },
        marker("setup-script-slow", EventKind::Generic, None, script(&[elapsed()])),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn the_built_in_mappings_keep_the_rules_of_user_mappings() {
        for mapping in builtin() {
            assert_eq!(check(&mapping), Ok(()), "{}:{}", mapping.provider, mapping.marker);
        }
    }

    #[test]
    fn own_libraries_are_known_by_their_names() {
        for own in [
            LIBRARY,
            "libsidecar.so.2.0.0",
            "libsidecar_jni.so",
            "_sidecar_native.abi3.so",
            "_sidecar_native.cpython-311-x86_64-linux-gnu.so (deleted)",
            "sidecar_native.node",
        ] {
            assert!(is_own_library(own.as_bytes()), "{own}");
        }
        for other in ["", "libsidecar.a", "sidecar", "libsidecars", "sidecar_native.py", "mylibsidecar.so"] {
            assert!(!is_own_library(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn no_marker_is_mapped_twice() {
        let mappings = builtin();
        for (i, one) in mappings.iter().enumerate() {
            for other in &mappings[..i] {
                assert!((&one.provider, &one.marker) != (&other.provider, &other.marker));
            }
        }
    }

    #[test]
    fn start_and_end_of_a_nextest_attempt_are_hashed_by_the_same_argument() {
        for mapping in nextest().iter().filter(|mapping| mapping.marker.starts_with("test-attempt")) {
            assert_eq!(mapping.id_arg(), Some(1));
            assert_eq!(mapping.position(Role::Key), None);
        }
    }
}
