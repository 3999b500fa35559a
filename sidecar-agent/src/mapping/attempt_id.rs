//! Ids of attempts as cargo-nextest makes them, and the test ids made of suite and name.

/// The parts of an attempt id, `RUN:SUITE[@stress-N]$TEST[#ATTEMPT]`.
///
/// The format is that of cargo-nextest 0.9.143 (argument 1 of its `test-attempt-*` markers). The run is what
/// stands before the first colon, the suite ends at the first `$`, and the first attempt has no number. Without
/// a `$` (ids of set-up scripts) only the run is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptId<'a> {
    /// Id of the run.
    pub run: &'a str,
    /// The suite, without the stress index.
    pub suite: Option<&'a str>,
    /// Index of the run within a stress run.
    pub stress: Option<u32>,
    /// Name of the test within the suite.
    pub name: Option<&'a str>,
    /// Number of the attempt, from 1.
    pub attempt: Option<u32>,
}

impl<'a> AttemptId<'a> {
    /// Takes an id apart. `name` is the test's name if another argument tells it: a name that itself ends in
    /// `#2` is then told from a second attempt. A cut id (`whole` is false) tells no attempt.
    #[must_use]
    pub fn parse(text: &'a str, name: Option<&str>, whole: bool) -> Option<Self> {
        let (run, rest) = text.split_once(':')?;
        if run.is_empty() {
            return None;
        }
        let Some((suite, test)) = rest.split_once('$') else {
            return Some(Self { run, suite: None, stress: None, name: None, attempt: None });
        };
        let (suite, stress) = match suite.rsplit_once("@stress-") {
            Some((before, index)) if !index.is_empty() => match index.parse() {
                Ok(index) => (before, Some(index)),
                Err(_) => (suite, None),
            },
            Some(_) | None => (suite, None),
        };
        let (name, attempt) = if whole { split_attempt(test, name) } else { (test, None) };
        Some(Self { run, suite: Some(suite), stress, name: Some(name), attempt })
    }
}

/// `TEST[#ATTEMPT]` in two.
fn split_attempt<'a>(test: &'a str, name: Option<&str>) -> (&'a str, Option<u32>) {
    if name == Some(test) {
        return (test, Some(1));
    }
    match test.rsplit_once('#') {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => match number.parse() {
            Ok(number) => (before, Some(number)),
            Err(_) => (test, Some(1)),
        },
        Some(_) | None => (test, Some(1)),
    }
}

/// The test id of a test that is told by suite and name: `SUITE$NAME`, or the name alone without a suite.
/// A stress run repeats its tests, so its index is part of the id: `SUITE@stress-N$NAME`.
#[must_use]
pub fn test_id(suite: Option<&str>, stress: Option<u32>, name: &str) -> String {
    match (suite, stress) {
        (Some(suite), Some(index)) => format!("{suite}@stress-{index}${name}"),
        (Some(suite), None) => format!("{suite}${name}"),
        (None, Some(_) | None) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "689b6119-6524-4862-b2fa-3c2fabab471f";

    fn parts<'a>(
        text: &'a str,
        name: Option<&str>,
    ) -> (Option<&'a str>, Option<u32>, Option<&'a str>, Option<u32>) {
        let id = AttemptId::parse(text, name, true).unwrap();
        (id.suite, id.stress, id.name, id.attempt)
    }

    #[test]
    fn ids_that_nextest_was_seen_to_make() {
        let id = format!("{RUN}:nx::it$tests::naïve_überlänge_日本");
        assert_eq!(AttemptId::parse(&id, None, true).unwrap().run, RUN);
        assert_eq!(parts(&id, None), (Some("nx::it"), None, Some("tests::naïve_überlänge_日本"), Some(1)));
        assert_eq!(parts("r:nx$tests::aborts#3", None), (Some("nx"), None, Some("tests::aborts"), Some(3)));
        assert_eq!(
            parts("r:nx@stress-1$tests::flaky#2", None),
            (Some("nx"), Some(1), Some("tests::flaky"), Some(2))
        );
        assert_eq!(parts("r:prep@stress-0", None), (None, None, None, None));
    }

    #[test]
    fn a_name_that_looks_like_a_second_attempt_is_told_by_the_name_argument() {
        assert_eq!(parts("r:b$case#2", Some("case#2")).3, Some(1));
        assert_eq!(parts("r:b$case#2#3", Some("case#2")), (Some("b"), None, Some("case#2"), Some(3)));
        assert_eq!(parts("r:b$case#2", Some("case")).3, Some(2));
        assert_eq!(parts("r:b$a$b#x", None), (Some("b"), None, Some("a$b#x"), Some(1)));
    }

    #[test]
    fn what_is_no_attempt_id_is_refused_and_a_cut_one_tells_no_attempt() {
        assert_eq!(AttemptId::parse("", None, true), None);
        assert_eq!(AttemptId::parse("no colon$x", None, true), None);
        assert_eq!(AttemptId::parse(":nx$x", None, true), None);
        assert_eq!(parts("r:b$x#99999999999", None).3, Some(1));
        assert_eq!(parts("r:b@stress-$x", None).0, Some("b@stress-"));
        let cut = AttemptId::parse("r:b$long#1", None, false).unwrap();
        assert_eq!((cut.name, cut.attempt), (Some("long#1"), None));
    }

    #[test]
    fn test_ids_are_unique_within_a_run() {
        assert_eq!(test_id(Some("nx::it"), None, "tests::a"), "nx::it$tests::a");
        assert_eq!(test_id(Some("nx"), Some(1), "tests::a"), "nx@stress-1$tests::a");
        assert_eq!(test_id(None, None, "a"), "a");
    }
}
