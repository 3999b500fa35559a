//! What a measuring program prints: one JSON value, the last line of its standard output.
//!
//! - `{"name": "wakeups", "value": 812.5, "unit": "1/s"}`: one figure, or an array of such objects.
//! - `{"rounds": [{"baseline_ns": 1.9, "case_ns": 2.4}, ...]}`: pairs that the program made itself, in turn,
//!   in nanoseconds for one operation.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// One measured figure.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what: `ns`, `1/s`, `MB`, ...
    pub(crate) unit: String,
}

/// What one run of a case yields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sample {
    /// A figure, compared with the baseline of its round where there is one.
    Figure(Figure),
    /// Both sides of one round, in nanoseconds.
    Pair {
        /// The baseline's.
        baseline_ns: f64,
        /// The case's.
        case_ns: f64,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    Rounds(Rounds),
    Figure(Figure),
    Figures(Vec<Figure>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rounds {
    rounds: Vec<Round>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Round {
    baseline_ns: f64,
    case_ns: f64,
}

/// The last line that is not blank.
pub(crate) fn last_line(printed: &str) -> Result<&str> {
    printed.lines().rev().find(|line| !line.trim().is_empty()).context("it printed nothing")
}

/// Reads the forms that this module describes.
pub(crate) fn parse(printed: &str) -> Result<Vec<Sample>> {
    let line = last_line(printed)?;
    let printed: Printed = serde_json::from_str(line).with_context(|| {
        format!("`{line}` is neither figures nor rounds (see xtask/src/bench/figures.rs)")
    })?;
    let samples: Vec<Sample> = match printed {
        Printed::Rounds(Rounds { rounds }) => rounds
            .into_iter()
            .map(|Round { baseline_ns, case_ns }| Sample::Pair { baseline_ns, case_ns })
            .collect(),
        Printed::Figure(figure) => vec![Sample::Figure(figure)],
        Printed::Figures(figures) => figures.into_iter().map(Sample::Figure).collect(),
    };
    ensure!(!samples.is_empty(), "`{line}` holds no figure");
    Ok(samples)
}

/// Smallest, middle and largest of some values.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Spread {
    /// The smallest.
    pub(crate) min: f64,
    /// The middle one, or the mean of the middle two.
    pub(crate) median: f64,
    /// The largest.
    pub(crate) max: f64,
}

/// The spread of values; none of an empty list.
pub(crate) fn spread(values: &[f64]) -> Option<Spread> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    let median = if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[half - 1], upper) };
    Some(Spread { min, median, max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_from_the_last_line() {
        let figure = |name: &str, value| Figure { name: name.to_owned(), value, unit: "ns".to_owned() };
        let one = "warming up\n{\"name\": \"hit\", \"value\": 700, \"unit\": \"ns\"}\n\n";
        assert_eq!(parse(one).unwrap(), [Sample::Figure(figure("hit", 700.0))]);
        let two = r#"[{"name":"a","value":1,"unit":"ns"},{"name":"b","value":2.5,"unit":"ns"}]"#;
        assert_eq!(parse(two).unwrap(), [Sample::Figure(figure("a", 1.0)), Sample::Figure(figure("b", 2.5))]);
        let pairs = r#"{"rounds":[{"baseline_ns":1.5,"case_ns":2}]}"#;
        assert_eq!(parse(pairs).unwrap(), [Sample::Pair { baseline_ns: 1.5, case_ns: 2.0 }]);
    }

    #[test]
    fn anything_else_is_an_error() {
        for bad in [
            "",
            "\n \n",
            "12",
            "{}",
            "[]",
            r#"{"rounds": []}"#,
            r#"{"rounds": [{"baseline_ns": 1}]}"#,
            r#"{"name": "a", "value": "fast", "unit": "ns"}"#,
            r#"{"name": "a", "value": 1, "unit": "ns", "extra": 1}"#,
            "{\"name\": \"a\", \"value\": 1, \"unit\": \"ns\"}\ndone",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0]), Some(Spread { min: 3.0, median: 3.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(spread(&[5.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 5.0 }));
    }
}
