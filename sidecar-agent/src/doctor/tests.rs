//! The answer's two shapes, and what they come to.

use super::{
    check::{Check, Kind, Report, Thing},
    examine, run, show,
};
use crate::cli::DoctorArgs;

const NEEDED: Thing =
    Thing { kind: Kind::Kernel, name: "bpf", needed: true, lost: "nothing is watched", mend: "run as root" };
const WISHED: Thing = Thing {
    kind: Kind::Privilege,
    name: "CAP_SYS_NICE",
    needed: false,
    lost: "ordinary priority",
    mend: "give it",
};

fn report(needed: bool, wished: bool) -> Report {
    let checks: Vec<Check> = vec![
        NEEDED.found(needed, if needed { "there" } else { "Operation not permitted" }),
        WISHED.found(wished, "not held"),
        Thing { kind: Kind::Setting, name: "lockdown", ..WISHED }.unknown("can't be read"),
    ];
    Report::of(checks)
}

#[test]
fn the_table_says_what_is_lost_and_what_mends_it() {
    insta::assert_snapshot!(show::table(&report(false, false)));
}

#[test]
fn the_same_as_json() {
    let json: serde_json::Value = serde_json::from_str(&show::json(&report(true, false))).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn only_what_is_needed_decides() {
    assert!(report(true, true).able() && report(true, false).able());
    assert!(!report(false, true).able());
}

#[test]
fn each_thing_is_told_once_and_says_what_to_do() {
    let checks = examine();
    let mut names: Vec<_> = checks.iter().map(|check| check.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert!(names.len() == all && all > 25, "{names:?}");
    for check in checks {
        assert!(!check.lost.is_empty() && !check.mend.is_empty() && !check.found.is_empty(), "{check:?}");
        assert!(!check.found.contains('\n'), "{check:?}");
    }
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    assert!(run(&DoctorArgs { json: true }, &mut Gone).is_ok());
}
