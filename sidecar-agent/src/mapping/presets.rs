//! Ready sets of mappings for known programs, by name.

use super::builtin::{arg, nextest, sidecar};
use super::functions::{FunctionMapping, of_preset};
use super::preset_libc::libc;
use super::{ArgKind, EventKind, Mapping, Role};
use crate::config::{ArgConfig, FunctionConfig, FunctionName, FunctionPlace, PRESETS, Source};

/// What a preset wants.
#[derive(Clone, Debug, Default)]
pub struct Preset {
    /// Markers.
    pub mappings: Vec<Mapping>,
    /// Functions.
    pub functions: Vec<FunctionMapping>,
    /// Libraries in which they are, by file name.
    pub libraries: Vec<String>,
}

/// What presets of these names want together. A name that none has wants nothing.
#[must_use]
pub fn presets(names: &[String]) -> Preset {
    let mut all = Preset::default();
    for name in PRESETS.into_iter().filter(|name| names.iter().any(|wanted| wanted == name)) {
        let Preset { mappings, functions, libraries } = match name {
            "sidecar" => Preset { mappings: sidecar(), ..Preset::default() },
            "nextest" => Preset { mappings: nextest(), ..Preset::default() },
            "jvm" => jvm(),
            "libc" => libc(),
            "libstdcxx" => libstdcxx(),
            "python" => Preset { mappings: python(), ..Preset::default() },
            "googletest" => googletest(),
            _ => Preset::default(),
        };
        all.mappings.extend(mappings);
        all.functions.extend(functions);
        all.libraries.extend(libraries);
    }
    all
}

fn marker(
    provider: &str,
    name: &str,
    event: EventKind,
    event_type: &str,
    args: Vec<super::ArgMapping>,
) -> Mapping {
    Mapping {
        provider: provider.to_owned(),
        marker: name.to_owned(),
        event,
        event_type: Some(event_type.to_owned()),
        signal: "events".to_owned(),
        args,
        status: Vec::new(),
    }
}

/// Exceptions of C++ programs, as the runtime of GCC tells of them. Each is an anomaly.
fn libstdcxx() -> Preset {
    let pointers = || {
        vec![arg("object", Role::Ignore, ArgKind::Integer), arg("type_info", Role::Plain, ArgKind::Integer)]
    };
    let of = |name, event_type| marker("libstdcxx", name, EventKind::Anomaly, event_type, pointers());
    Preset {
        mappings: vec![
            of("throw", "exception_thrown"),
            of("rethrow", "exception_rethrown"),
            of("catch", "exception_caught"),
        ],
        libraries: vec!["libstdc++.so.6".to_owned()],
        ..Preset::default()
    }
}

/// Threads and garbage collections of OpenJDK's HotSpot, as far as it tells without an option of its own.
fn jvm() -> Preset {
    let of = |name, event_type, args| marker("hotspot", name, EventKind::Generic, event_type, args);
    let integer = |name| arg(name, Role::Plain, ArgKind::Integer);
    // The name ends without a NUL.
    let thread = || {
        vec![
            arg("thread", Role::Data, ArgKind::Bytes { len_arg: 1 }),
            arg("thread_len", Role::Ignore, ArgKind::Integer),
            integer("java_id"),
            integer("native_id"),
            integer("daemon"),
        ]
    };
    Preset {
        mappings: vec![
            of("thread__start", "jvm_thread_start", thread()),
            of("thread__stop", "jvm_thread_end", thread()),
            of("gc__begin", "jvm_gc_start", vec![integer("full")]),
            of("gc__end", "jvm_gc_end", Vec::new()),
            of("vm__shutdown", "jvm_end", Vec::new()),
        ],
        libraries: vec!["libjvm.so".to_owned()],
        ..Preset::default()
    }
}

/// Imports and garbage collections of CPython. Its markers of functions and lines are left out: listening to them slows
/// the interpreter at each call and each line.
fn python() -> Vec<Mapping> {
    let of = |name, event_type, args| marker("python", name, EventKind::Generic, event_type, args);
    let integer = |name| arg(name, Role::Plain, ArgKind::Integer);
    let module = || arg("module", Role::Plain, ArgKind::String);
    vec![
        of("gc__start", "python_gc_start", vec![integer("generation")]),
        of("gc__done", "python_gc_end", vec![integer("collected")]),
        of("import__find__load__start", "python_import_start", vec![module()]),
        of("import__find__load__done", "python_import_end", vec![module(), integer("found")]),
    ]
}

/// Where what is told of a test lies in googletest's `TestInfo`: versions 1.10 to 1.17, on 64-bit Linux. In front of it is a
/// mutex of the C library, which is longer on aarch64.
const MUTEX: u32 = if cfg!(target_arch = "aarch64") { 8 } else { 0 };
const SUITE: u32 = 0;
const NAME: u32 = 32;
const PARTS: u32 = 200 + MUTEX;
const ELAPSED: u32 = 264 + MUTEX;
/// A `TestPartResult`: its size, and where it says what it is about. It begins with what came of it.
const PART: u32 = 112;
const MESSAGE: u32 = 80;

/// The function that googletest calls for every test, whoever listens: `TestEventRepeater::EVENT(const TestInfo&)`.
fn repeater(event: &str) -> String {
    let len = event.len();
    format!("_ZN7testing8internal17TestEventRepeater{len}{event}ERKNS_8TestInfoE")
}

/// googletest, linked in or as a library, through its own functions. Its programs need their symbols.
fn googletest() -> Preset {
    let part = |role: Role, kind: &str, at: String| ArgConfig {
        role: Some(role.word().to_owned()),
        kind: Some(kind.to_owned()),
        at: Some(at),
        ..ArgConfig::default()
    };
    let test = || {
        vec![
            part(Role::Suite, "string", format!("*(arg1 + {SUITE})")),
            part(Role::TestName, "string", format!("*(arg1 + {NAME})")),
        ]
    };
    let duration = ArgConfig {
        unit: Some("ms".to_owned()),
        ..part(Role::Duration(super::DurationUnit::Milliseconds), "i64", format!("*(arg1 + {ELAPSED})"))
    };
    let mut end = test();
    end.extend([
        part(Role::Status, "i32", format!("*(*(arg1 + {PARTS})[least {PART}])")),
        duration,
        part(Role::Message, "string", format!("*(*(arg1 + {PARTS})[least {PART}] + {MESSAGE})")),
    ]);
    // The kinds of a TestPartResult. A test of which all are 0 passed, and one that fails besides is not skipped.
    let status = [("0", "passed"), ("1", "failed"), ("2", "failed"), ("3", "skipped")];
    let function = |event: &str, hook: &str, args, status: &[(&str, &str)]| FunctionConfig {
        at: Source::Default,
        place: FunctionPlace::Any,
        which: FunctionName::Symbol(repeater(hook)),
        on: None,
        provider: Some("googletest".to_owned()),
        event: Some(event.to_owned()),
        event_type: None,
        signal: None,
        args,
        result: None,
        status: status.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect(),
        never_unwinds: false,
    };
    let functions = [
        ("test_start", function("test_start", "OnTestStart", test(), &[])),
        ("test_end", function("test_end", "OnTestEnd", end, &status)),
    ];
    let versions = [
        "", ".1.10.0", ".1.11.0", ".1.12.0", ".1.12.1", ".1.13.0", ".1.14.0", ".1.15.0", ".1.15.2",
        ".1.16.0", ".1.17.0",
    ];
    Preset {
        functions: functions
            .into_iter()
            .filter_map(|(name, config)| of_preset("googletest", name, &config))
            .collect(),
        libraries: versions.iter().map(|version| format!("libgtest.so{version}")).collect(),
        ..Preset::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    fn all() -> Preset {
        presets(&PRESETS.map(str::to_owned))
    }

    #[test]
    fn every_preset_wants_something_and_keeps_the_rules_of_user_mappings() {
        for name in PRESETS {
            let Preset { mappings, functions, .. } = presets(&[name.to_owned()]);
            assert!(!mappings.is_empty() || !functions.is_empty(), "{name}");
            let entries = functions.iter().map(|function| &function.entry.mapping);
            for mapping in mappings.iter().chain(entries) {
                assert_eq!(check(mapping), Ok(()), "{name}: {}", mapping.marker);
            }
        }
        assert!(presets(&["nosuch".to_owned()]).mappings.is_empty());
    }

    #[test]
    fn no_marker_is_in_two_presets() {
        let mut names: Vec<_> = all().mappings.into_iter().map(|m| (m.provider, m.marker)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn googletest_has_a_start_and_an_end_that_tell_of_the_same_test() {
        let [start, end] = &presets(&["googletest".to_owned()]).functions[..] else {
            panic!("two functions")
        };
        assert_eq!(start.entry.places[..2], end.entry.places[..2]);
        assert_eq!(start.name.as_deref(), Some("test_start"));
        let FunctionName::Symbol(name) = &end.which else { panic!("a symbol") };
        assert_eq!(name, "_ZN7testing8internal17TestEventRepeater9OnTestEndERKNS_8TestInfoE");
        assert_eq!(end.entry.mapping.event, EventKind::TestEnd);
        assert!(end.entry.mapping.duration_arg().is_some());
    }
}
