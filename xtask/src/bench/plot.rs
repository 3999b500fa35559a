//! A course over time as an SVG, to be read on light and on dark ground.
//!
//! Read is what a measuring program writes to `target/bench/NAME-series.json`:
//! `{"over": 60.1, "budget": 5.0, "course": {"seconds": [...], "cpu_percent": [...], ...}}`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Where a benchmark's course lies, if it writes one.
pub(crate) fn series(name: &str) -> String {
    format!("target/bench/{name}-series.json")
}

#[derive(Deserialize)]
struct Series {
    /// When the load ended, in seconds.
    over: f64,
    /// The budget in percent of a core.
    budget: f64,
    course: Course,
}

#[derive(Deserialize)]
struct Course {
    seconds: Vec<f64>,
    cpu_percent: Vec<f64>,
    rss_mb: Vec<f64>,
    step: Vec<f64>,
    hits_per_second: Vec<f64>,
}

/// Steps of the governor's ladder, from the top.
const STEPS: [&str; 7] = ["full", "1/2", "1/4", "1/8", "no payloads", "count only", "detached"];

/// The whole picture, and where the panels begin and end in it.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 744.0;
const TOP: f64 = 34.0;
const PANEL: f64 = 96.0;
const GAP: f64 = 34.0;

/// One panel: a line over time.
struct Panel<'a> {
    title: &'a str,
    values: Vec<f64>,
    /// Marks of the vertical axis: value and text. The first is the lower end, the last the upper.
    marks: Vec<(f64, String)>,
    /// Values hold until the next.
    stepped: bool,
    colour: &'a str,
    /// A dashed line, and what it is.
    limit: Option<(f64, String)>,
}

/// Marks from 0 to at least the largest value, in at most five steps of 1, 2 or 5 times a power of ten.
fn marks(values: &[f64], text: fn(f64) -> String) -> Vec<(f64, String)> {
    let most = values.iter().copied().fold(0.0, f64::max).max(1e-9);
    let power = 10f64.powf((most / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| most / step <= 5.0);
    let step = step.unwrap_or(most);
    (0..=(most / step).ceil() as u32).map(|i| f64::from(i) * step).map(|value| (value, text(value))).collect()
}

impl Panel<'_> {
    fn draw(&self, out: &mut String, top: f64, seconds: &[f64], x: impl Fn(f64) -> f64) -> Result<()> {
        let (Some((low, _)), Some((high, _))) = (self.marks.first(), self.marks.last()) else {
            return Ok(());
        };
        let y =
            |value: f64| top + PANEL * (high - value.clamp(low.min(*high), high.max(*low))) / (high - low);
        writeln!(out, r#"<text class="title" x="{LEFT}" y="{:.1}">{}</text>"#, top - 8.0, self.title)?;
        for (value, text) in &self.marks {
            let at = y(*value);
            writeln!(out, r#"<path class="grid" d="M{LEFT} {at:.1}H{RIGHT}"/>"#)?;
            writeln!(out, r#"<text class="mark" x="{}" y="{:.1}">{text}</text>"#, LEFT - 7.0, at + 4.0)?;
        }
        if let Some((value, text)) = &self.limit {
            let at = y(*value);
            writeln!(out, r#"<path class="limit" d="M{LEFT} {at:.1}H{RIGHT}"/>"#)?;
            writeln!(out, r#"<text class="note" x="{RIGHT}" y="{:.1}">{text}</text>"#, at - 4.0)?;
        }
        let mut path = String::new();
        for (i, (at, value)) in seconds.iter().zip(&self.values).enumerate() {
            let (at, value) = (x(*at), y(*value));
            match (i, self.stepped) {
                (0, _) => write!(path, "M{at:.1} {value:.1}")?,
                (_, true) => write!(path, "H{at:.1}V{value:.1}")?,
                (_, false) => write!(path, "L{at:.1} {value:.1}")?,
            }
        }
        writeln!(out, r#"<path class="line" stroke="{}" d="{path}"/>"#, self.colour)?;
        Ok(())
    }
}

/// The picture of a course.
fn draw(series: &Series) -> Result<String> {
    let Series { over, budget, course } = series;
    let seconds = &course.seconds;
    let lengths = [&course.cpu_percent, &course.rss_mb, &course.step, &course.hits_per_second].map(Vec::len);
    ensure!(lengths == [seconds.len(); 4] && seconds.len() > 1, "the columns are of {lengths:?} values");
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    let x = |at: f64| LEFT + (RIGHT - LEFT) * (at - first) / (last - first);
    let number = |value: f64| format!("{value}");
    let thousands: Vec<f64> = course.hits_per_second.iter().map(|hits| hits / 1000.0).collect();
    let panels = [
        Panel {
            title: "processor time of the agent, % of one core",
            values: course.cpu_percent.clone(),
            marks: marks(&course.cpu_percent, number),
            stepped: false,
            colour: "#d9534f",
            limit: Some((*budget, format!("budget {budget} %"))),
        },
        Panel {
            title: "step of the ladder",
            values: course.step.iter().map(|step| -step).collect(),
            marks: (0..STEPS.len()).rev().map(|i| (-(i as f64), STEPS[i].to_owned())).collect(),
            stepped: true,
            colour: "#3b82c4",
            limit: None,
        },
        Panel {
            title: "resident memory, MB",
            values: course.rss_mb.clone(),
            marks: marks(&course.rss_mb, number),
            stepped: false,
            colour: "#8a63b8",
            limit: None,
        },
        Panel {
            title: "hits, thousands a second",
            values: thousands.clone(),
            marks: marks(&thousands, number),
            stepped: false,
            colour: "#2f9e6e",
            limit: None,
        },
    ];
    let bottom = TOP + panels.len() as f64 * (PANEL + GAP) - GAP;
    let height = bottom + 44.0;
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">
<style>
text{{fill:#6e7781}}.title{{font-weight:bold}}.mark,.note{{text-anchor:end}}.time{{text-anchor:middle}}
path{{fill:none}}.grid{{stroke:#8c959f;stroke-opacity:.3}}.limit{{stroke:#d9534f;stroke-dasharray:5 4}}.line{{stroke-width:1.6;stroke-linejoin:round}}
.load{{fill:#8c959f;fill-opacity:.13}}
@media(prefers-color-scheme:dark){{text{{fill:#adbac7}}}}
</style>
"#
    );
    for (i, panel) in panels.iter().enumerate() {
        let top = TOP + i as f64 * (PANEL + GAP);
        let (from, to) = (x(0.0), x(*over));
        writeln!(
            out,
            r#"<rect class="load" x="{from:.1}" y="{top}" width="{:.1}" height="{PANEL}"/>"#,
            to - from
        )?;
        panel.draw(&mut out, top, seconds, x)?;
    }
    // Never -0.
    let mut at = (first / 10.0).ceil() * 10.0 + 0.0;
    while at <= last {
        let place = x(at);
        writeln!(out, r#"<path class="grid" d="M{place:.1} {bottom}v5"/>"#)?;
        writeln!(out, r#"<text class="time" x="{place:.1}" y="{}">{at}</text>"#, bottom + 19.0)?;
        at += 10.0;
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    writeln!(
        out,
        r#"<text class="time" x="{middle}" y="{}">seconds since the load began (shaded: the load)</text>"#,
        bottom + 37.0
    )?;
    out.push_str("</svg>\n");
    Ok(out)
}

/// Draws `docs/NAME.svg` of what the benchmark wrote. False if it writes no course.
pub(crate) fn write(root: &Path, name: &str) -> Result<bool> {
    let file = root.join(series(name));
    if !file.exists() {
        return Ok(false);
    }
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let series: Series = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    let picture = root.join("docs").join(format!("{name}.svg"));
    fs::write(&picture, draw(&series)?).with_context(|| picture.display().to_string())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Series {
        let values = vec![1.0, 2.5, 3.0];
        Series {
            over: 1.0,
            budget: 5.0,
            course: Course {
                seconds: vec![-1.0, 0.0, 12.0],
                cpu_percent: vec![0.1, 37.0, 4.0],
                rss_mb: values.clone(),
                step: vec![0.0, 5.0, 6.0],
                hits_per_second: vec![0.0, 150_000.0, 0.0],
            },
        }
    }

    #[test]
    fn marks_are_round_and_reach_beyond_the_largest_value() {
        let values =
            |most| marks(&[0.0, most], |value| value.to_string()).into_iter().map(|(value, _)| value);
        assert_eq!(values(37.0).collect::<Vec<_>>(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(values(5.0).collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(values(0.0).count(), 6);
    }

    #[test]
    fn the_picture_names_units_and_steps_and_stays_inside() {
        let picture = draw(&course()).unwrap();
        for text in ["% of one core", "MB", "thousands a second", "seconds", "count only", "budget 5 %"] {
            assert!(picture.contains(text), "{text}");
        }
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }

    #[test]
    fn columns_that_do_not_match_are_refused() {
        let mut series = course();
        series.course.step.pop();
        assert!(draw(&series).is_err());
    }
}
