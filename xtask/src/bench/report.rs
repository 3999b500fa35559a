//! A benchmark's results: gathered, compared, printed as a table and written as JSON.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::figures::{Figure, Sample, Spread, spread};
use super::{Benchmark, Limit};

/// Results of one benchmark.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    about: &'static str,
    machine: String,
    rounds: u32,
    limits: Vec<(&'static str, Limit)>,
    series: Vec<Series>,
}

/// All values of one case, with the baseline's of the same rounds.
#[derive(Debug, Serialize)]
struct Series {
    case: String,
    /// The figure's name; a pair has its case's.
    name: String,
    unit: String,
    values: Vec<f64>,
    /// As long as `values`, or empty.
    baseline: Vec<f64>,
}

impl Series {
    fn ratio(&self) -> Option<Spread> {
        let ratios: Vec<f64> = self.pairs().map(|(base, case)| case / base).collect();
        spread(&ratios).filter(|ratio| ratio.min.is_finite() && ratio.max.is_finite())
    }

    fn difference(&self) -> Option<Spread> {
        let differences: Vec<f64> = self.pairs().map(|(base, case)| case - base).collect();
        spread(&differences)
    }

    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.baseline.iter().copied().zip(self.values.iter().copied())
    }

    /// What the limit is about and whether it is kept; none where the series has no such figure.
    fn verdict(&self, limit: Limit) -> Option<(String, bool)> {
        let (what, found, most) = match limit {
            Limit::Ratio(most) => ("ratio", self.ratio()?.median, most),
            Limit::Difference(most) => ("difference", self.difference()?.median, most),
            Limit::Value(most) => ("median", spread(&self.values)?.median, most),
            Limit::Each(most) => ("largest", spread(&self.values)?.max, most),
            Limit::AtLeast(least) => {
                let found = spread(&self.values)?.median;
                return Some((format!("median {found:.3}, at least {least}"), found >= least));
            }
        };
        Some((format!("{what} {found:.3}, at most {most}"), found <= most))
    }
}

impl Report {
    /// An empty report.
    pub(crate) fn new(benchmark: &dyn Benchmark, rounds: u32, machine: &str) -> Self {
        Self {
            benchmark: benchmark.name(),
            about: benchmark.about(),
            machine: machine.to_owned(),
            rounds,
            limits: benchmark.limits(),
            series: Vec::new(),
        }
    }

    /// Takes in what one round of one case yielded.
    pub(crate) fn take(&mut self, case: &str, baseline: Option<&Figure>, sample: Sample) -> Result<()> {
        let (figure, base) = match sample {
            Sample::Pair { baseline_ns, case_ns } => {
                (Figure { name: case.to_owned(), value: case_ns, unit: "ns".to_owned() }, Some(baseline_ns))
            }
            Sample::Figure(figure) => (figure, baseline.map(|base| base.value)),
        };
        if let Some(base) = baseline {
            ensure!(
                base.unit == figure.unit,
                "{} is in {}, its baseline in {}",
                figure.name,
                figure.unit,
                base.unit
            );
        }
        let Figure { name, value, unit } = figure;
        let known = self.series.iter().position(|series| series.case == case && series.name == name);
        let at = known.unwrap_or_else(|| {
            let case = case.to_owned();
            self.series.push(Series { case, name, unit, values: Vec::new(), baseline: Vec::new() });
            self.series.len() - 1
        });
        self.series[at].values.push(value);
        self.series[at].baseline.extend(base);
        Ok(())
    }

    /// Whether every promise is kept.
    pub(crate) fn kept(&self) -> bool {
        self.verdicts().iter().all(|(kept, _)| *kept)
    }

    /// Each promise: whether it is kept, and the figure. One whose figure never came is not kept.
    fn verdicts(&self) -> Vec<(bool, String)> {
        let mut verdicts = Vec::new();
        for (name, limit) in &self.limits {
            let mut found = false;
            for series in self.series.iter().filter(|series| series.name == *name) {
                if let Some((what, kept)) = series.verdict(*limit) {
                    verdicts.push((kept, format!("{name}: {what}")));
                    found = true;
                }
            }
            if !found {
                verdicts.push((false, format!("{name}: not measured")));
            }
        }
        verdicts
    }

    /// The report with the spreads of each series.
    fn json(&self) -> Result<serde_json::Value> {
        let mut json = serde_json::to_value(self)?;
        for (i, series) in self.series.iter().enumerate() {
            let shown = &mut json["series"][i];
            shown["spread"] = serde_json::to_value(spread(&series.values))?;
            shown["baseline_spread"] = serde_json::to_value(spread(&series.baseline))?;
            shown["difference"] = serde_json::to_value(series.difference())?;
            shown["ratio"] = serde_json::to_value(series.ratio())?;
        }
        Ok(json)
    }

    /// Writes `NAME.json` into a folder and returns its path.
    pub(crate) fn write(&self, folder: &Path) -> Result<String> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let file = folder.join(format!("{}.json", self.benchmark));
        let text = serde_json::to_string_pretty(&self.json()?)?;
        std::fs::write(&file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file.display().to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} ({} rounds)", self.benchmark, self.about, self.rounds)?;
        writeln!(f, "  {:<28} {:>10} {:>10} {:>10}  unit", "", "min", "median", "max")?;
        for series in &self.series {
            let mut row = |name: &str, spread: Option<Spread>, unit: &str| match spread {
                Some(Spread { min, median, max }) => {
                    writeln!(f, "  {name:<28} {min:>10.3} {median:>10.3} {max:>10.3}  {unit}")
                }
                None => Ok(()),
            };
            row("baseline", spread(&series.baseline), &series.unit)?;
            row(&series.name, spread(&series.values), &series.unit)?;
            row("  difference", series.difference(), &series.unit)?;
            row("  ratio", series.ratio(), "")?;
        }
        for (kept, what) in self.verdicts() {
            writeln!(f, "  {} {what}", if kept { "kept:" } else { "BROKEN:" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::marker_off::MarkerOff;
    use super::*;
    use crate::process;

    fn report(pairs: &[(f64, f64)]) -> Report {
        let mut report = Report::new(&MarkerOff, pairs.len() as u32, "a machine");
        for &(baseline_ns, case_ns) in pairs {
            report.take("event", None, Sample::Pair { baseline_ns, case_ns }).unwrap();
        }
        report
    }

    #[test]
    fn the_ratio_is_the_median_of_pairs_and_not_of_medians() {
        let json = report(&[(1.0, 2.0), (10.0, 11.0), (2.0, 3.0)]).json().unwrap();
        assert_eq!(json["series"][0]["ratio"]["median"], 1.5);
        assert_eq!(json["series"][0]["difference"]["max"], 1.0);
        assert_eq!(json["series"][0]["baseline_spread"]["median"], 2.0);
    }

    #[test]
    fn a_ratio_to_nothing_is_left_out() {
        let report = report(&[(0.0, 2.0)]);
        assert_eq!(report.json().unwrap()["series"][0]["ratio"], serde_json::Value::Null);
        assert!(!report.kept());
    }

    #[test]
    fn figures_of_another_unit_than_their_baseline_are_refused() {
        let figure = |unit: &str| Figure { name: "a".to_owned(), value: 1.0, unit: unit.to_owned() };
        let mut report = report(&[]);
        assert!(report.take("case", Some(&figure("ns")), Sample::Figure(figure("us"))).is_err());
        assert!(report.take("case", Some(&figure("ns")), Sample::Figure(figure("ns"))).is_ok());
    }

    #[test]
    fn the_file_is_named_after_the_benchmark() {
        let folder = process::root().join("target/xtask-report-test");
        let file = report(&[(1.0, 1.5)]).write(&folder).unwrap();
        assert!(file.ends_with("marker-off.json"), "{file}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
