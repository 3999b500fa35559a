//! Names a run and a test: the run's id, the test's key, the test's own name.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use sidecar_common::{FNV_OFFSET, fnv1a_step};

/// The id of this run, the same for the life of the process.
///
/// It is the environment's `SIDECAR_RUN_ID`, so that the processes of one run agree; without it, the
/// `NEXTEST_RUN_ID` that cargo-nextest sets; without that, one made from the process id and the clock.
#[must_use]
pub fn run_id() -> &'static str {
    static RUN_ID: OnceLock<String> = OnceLock::new();
    RUN_ID.get_or_init(|| {
        chosen(std::env::var("SIDECAR_RUN_ID").ok(), std::env::var("NEXTEST_RUN_ID").ok()).unwrap_or_else(
            || {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                format!("{:x}-{:x}", std::process::id(), now.as_nanos())
            },
        )
    })
}

/// The first id that is not empty.
fn chosen(sidecar: Option<String>, nextest: Option<String>) -> Option<String> {
    [sidecar, nextest].into_iter().flatten().find(|id| !id.is_empty())
}

/// The attempt that a test runner says this is, from 1: the environment's `NEXTEST_ATTEMPT`, else 1.
pub(crate) fn attempt() -> u32 {
    static ATTEMPT: OnceLock<u32> = OnceLock::new();
    *ATTEMPT.get_or_init(|| {
        std::env::var("NEXTEST_ATTEMPT").ok().and_then(|number| number.parse().ok()).unwrap_or(1)
    })
}

/// The key of a test in a run: FNV-1a, 64 bit, of the run id, a NUL and the test id.
///
/// A test's start, events and end carry the same key, so that they are sampled together. An id counts up to
/// its first NUL, as in C. 0 means "no key", so a hash of 0 becomes 1.
#[must_use]
pub fn key(run_id: &str, test_id: &str) -> u64 {
    key_of(run_id.bytes(), test_id.bytes())
}

/// [`key`] of bytes.
pub(crate) fn key_of(run_id: impl Iterator<Item = u8>, test_id: impl Iterator<Item = u8>) -> u64 {
    let until_nul = |byte: &u8| *byte != 0;
    let hash = run_id.take_while(until_nul).fold(FNV_OFFSET, fnv1a_step);
    test_id.take_while(until_nul).fold(fnv1a_step(hash, 0), fnv1a_step).max(1)
}

/// The name of the function in which [`test!`](crate::test) made an item with this type name.
#[doc(hidden)]
#[must_use]
pub fn enclosing_function(type_name: &'static str) -> &'static str {
    let mut name = type_name.strip_suffix("::here").unwrap_or(type_name);
    while let Some(outer) = name.strip_suffix("::{{closure}}") {
        name = outer;
    }
    name
}

#[cfg(test)]
mod tests {
    use sidecar_common::fnv1a;

    use super::*;

    #[test]
    fn the_key_is_the_hash_of_run_nul_test() {
        assert_eq!(key("run", "test"), fnv1a(b"run\0test"));
        assert_eq!(key("", ""), fnv1a(b"\0"));
        assert_ne!(key("a", "bc"), key("ab", "c"));
        assert_eq!(key("run", "test\0more"), key("run", "test"));
    }

    #[test]
    fn the_run_id_stays_and_the_environment_comes_first() {
        assert_eq!(run_id(), run_id());
        let (a, b) = (|| Some("a".to_owned()), || Some("b".to_owned()));
        assert_eq!(chosen(a(), b()), a());
        assert_eq!(chosen(None, b()), b());
        assert_eq!(chosen(Some(String::new()), b()), b());
        assert_eq!(chosen(None, None), None);
    }

    #[test]
    fn a_function_is_named_without_its_closures() {
        assert_eq!(enclosing_function("krate::tests::works::here"), "krate::tests::works");
        assert_eq!(enclosing_function("krate::works::{{closure}}::{{closure}}::here"), "krate::works");
    }
}
