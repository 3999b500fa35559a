//! The preset of the C library: how programs give up, by its functions. Debian's has no markers.

use super::functions::of_preset;
use super::{Preset, Role};
use crate::config::{ArgConfig, FunctionConfig, FunctionName, FunctionPlace, Source};

/// The file of glibc's C library; since 2.34 it is this file itself and no link to another.
const LIBRARY: &str = "libc.so.6";

/// A function, the type of its event, whether that is an anomaly, and its arguments with their types.
type Row = (&'static str, &'static str, bool, &'static [(&'static str, &'static str)]);

/// All of them are called once in a program's life at most, and all but `exit` when it gives up.
const FUNCTIONS: [Row; 6] = [
    ("abort", "libc_abort", true, &[]),
    (
        "__assert_fail",
        "libc_assert_failed",
        true,
        &[("assertion", "string"), ("file", "string"), ("line", "u32"), ("function", "string")],
    ),
    (
        "__assert_perror_fail",
        "libc_assert_failed",
        true,
        &[("errno", "i32"), ("file", "string"), ("line", "u32"), ("function", "string")],
    ),
    ("__stack_chk_fail", "libc_stack_smashed", true, &[]),
    ("__chk_fail", "libc_buffer_overflow", true, &[]),
    ("exit", "libc_exit", false, &[("code", "i32")]),
];

/// Aborts, failed assertions, and what the compiler's checks of stack and buffers found, as anomalies; exits with their code
/// as events.
pub(super) fn libc() -> Preset {
    let function = |&(symbol, event_type, is_anomaly, args): &Row| {
        let arg = |&(name, kind): &(&str, &str)| ArgConfig {
            name: Some(name.to_owned()),
            role: Some(Role::Plain.word().to_owned()),
            kind: Some(kind.to_owned()),
            ..ArgConfig::default()
        };
        let config = FunctionConfig {
            at: Source::Default,
            place: FunctionPlace::Library(LIBRARY.to_owned()),
            which: FunctionName::Symbol(symbol.to_owned()),
            on: None,
            provider: Some("libc".to_owned()),
            event: is_anomaly.then(|| "anomaly".to_owned()),
            event_type: Some(event_type.to_owned()),
            signal: None,
            args: args.iter().map(arg).collect(),
            result: None,
            status: Vec::new(),
            never_unwinds: false,
        };
        of_preset("libc", symbol, &config)
    };
    Preset {
        functions: FUNCTIONS.iter().filter_map(function).collect(),
        libraries: vec![LIBRARY.to_owned()],
        ..Preset::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::EventKind;

    #[test]
    fn all_its_functions_are_wanted_and_exits_alone_are_no_anomaly() {
        let all = libc().functions;
        assert_eq!(all.len(), FUNCTIONS.len());
        for function in &all {
            let is_exit = function.name.as_deref() == Some("exit");
            assert_eq!(function.entry.mapping.event == EventKind::Generic, is_exit);
            assert!(function.on_return.is_none(), "they never return");
        }
    }
}
