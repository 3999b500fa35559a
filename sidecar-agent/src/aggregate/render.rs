//! The end summary of a run, and its progress line.

use sidecar_common::Status;

use super::page::{BOLD, GREEN, Page, RED, Style, YELLOW};
use super::text::{about, counted, cut, duration, number, safe, seconds};
use super::{MOST_FAILED, Summary};
use crate::sampling::Estimate;

/// What was counted outside of the events, and what observing cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Times that a probe fired in a watched process.
    pub hits: u64,
    /// Events kept.
    pub kept: u64,
    /// Events not kept, by choice of the rate.
    pub sampled_out: u64,
    /// Starts among these that are here all the same, because their test's end was kept.
    pub recalled: u64,
    /// Starts that should be and are not, because the ring had no room.
    pub recall_lost: u64,
    /// Tests that ended with their process.
    pub aborted: u64,
    /// Tests that ended with their process and are not here, because the ring had no room.
    pub abort_lost: u64,
    /// Events lost because the ring had no room.
    pub lost: u64,
    /// Events dropped because the agent's queue had no room.
    pub dropped: u64,
    /// Arguments that could not be read.
    pub read_faults: u64,
    /// User and system time of the agent, in seconds.
    pub agent_cpu_seconds: f64,
    /// Run time of the BPF programs, in seconds.
    pub bpf_run_seconds: f64,
    /// How long the run took, in seconds.
    pub wall_seconds: f64,
    /// How long the agent has worked, from its own start on, in seconds.
    pub life_seconds: f64,
    /// Ends of tests by [`Status`] number, whether or not their events were kept.
    pub ends: [u64; Status::COUNT],
    /// Memory of the agent in bytes.
    pub rss_bytes: u64,
    /// Files that probes were attached to.
    pub images: u64,
    /// Sites in them.
    pub sites: u64,
}

/// Order in which outcomes are told.
const ORDER: [Status; Status::COUNT] = [
    Status::Passed,
    Status::Failed,
    Status::Error,
    Status::Timeout,
    Status::Aborted,
    Status::Skipped,
    Status::Xfail,
    Status::Xpass,
    Status::Unknown,
];

impl Summary {
    /// The end summary, ending in a line feed. Names and messages are safe to print.
    #[must_use]
    pub fn render(&self, cost: &Cost, style: Style) -> String {
        let mut page = Page { out: String::new(), style: Style { width: style.width.max(40), ..style } };
        self.head(cost, &mut page);
        self.failures(&mut page);
        self.flaky(&mut page);
        self.open(&mut page);
        self.slowest(&mut page);
        self.custom(&mut page);
        self.observation(cost, &mut page);
        page.out
    }

    /// One line on how far the run is, without a line feed; none before the first test. `ends` is what the kernel has
    /// counted, where less than all of it is kept.
    #[must_use]
    pub fn progress(&self, ends: Option<&[u64; Status::COUNT]>) -> Option<String> {
        let totals = self.totals();
        if let Some(ends) = ends.filter(|ends| ends.iter().sum::<u64>() > totals.attempts) {
            let all = counted(ends.iter().sum(), "attempt");
            return Some(format!("{all}: {}; {} kept", outcomes(ends, 0, None), number(totals.attempts)));
        }
        if totals.ended() + totals.open == 0 {
            return None;
        }
        let mut line = counted(totals.ended(), "test");
        if totals.ended() > 0 {
            line += &format!(": {}", outcomes(&totals.tests, totals.flaky, None));
        }
        if totals.open > 0 {
            line += &format!("; {} running", number(totals.open));
        }
        Some(line)
    }

    fn head(&self, cost: &Cost, page: &mut Page) {
        let totals = self.totals();
        let ended = totals.ended();
        let wall = seconds(cost.wall_seconds);
        let counted_by_kernel: u64 = cost.ends.iter().sum();
        if counted_by_kernel > totals.attempts {
            let head = format!("sidecar: {} in {wall}", counted(counted_by_kernel, "attempt"));
            page.line(&page.paint(BOLD, &head));
            page.line(&format!("  all   {}", outcomes(&cost.ends, 0, Some(page))));
            let kept = if ended == 0 {
                "none".to_owned()
            } else {
                outcomes(&totals.tests, totals.flaky, Some(page))
            };
            page.line(&format!("  kept  {kept}"));
            return;
        }
        if ended == 0 {
            let why = if cost.images == 0 {
                "no program with a known marker was executed"
            } else if cost.hits == 0 {
                "programs with known markers were executed, and none fired"
            } else {
                "markers fired, but no test ended"
            };
            page.line(&format!("{} ({why})", page.paint(BOLD, &format!("sidecar: no test in {wall}"))));
            return;
        }
        let retried = match totals.attempts - ended {
            0 => String::new(),
            _ => format!(" ({} attempts)", number(totals.attempts)),
        };
        let head = format!("sidecar: {} in {wall}", counted(ended, "test"));
        page.line(&(page.paint(BOLD, &head) + &retried));
        let names: Vec<String> = self.providers.keys().map(|provider| safe(provider)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, counts) in names.iter().zip(self.providers.values()) {
            let told = outcomes(&counts.tests(), counts.flaky, Some(page));
            page.line(&format!("  {name:<width$}  {told}"));
        }
    }

    fn failures(&self, page: &mut Page) {
        let (failures, more) = self.retries.failures();
        if failures.is_empty() && more == 0 {
            return;
        }
        page.heading("Failed");
        let word = failures.iter().map(|failure| failure.status.name().len()).max().unwrap_or(0);
        let times: Vec<String> = failures.iter().map(|failure| time(failure.duration_ns)).collect();
        let wide = times.iter().map(String::len).max().unwrap_or(0);
        for (failure, time) in failures.iter().zip(&times) {
            let status = page.paint(color(failure.status), &format!("{:<word$}", failure.status.name()));
            let attempts = match failure.attempt {
                Some(attempt) if attempt > 1 => format!("  (attempt {attempt})"),
                Some(_) | None => String::new(),
            };
            page.line(&format!("  {status}  {time:>wide$}  {}{attempts}", failure.name));
            page.message(failure, 2 + word + 2 + wide + 2);
        }
        page.more(more, "failed test");
        if self.retries.untracked() > 0 {
            let untracked = number(self.retries.untracked());
            page.line(&format!(
                "  beyond {MOST_FAILED} failed tests retries are not matched: {untracked} count once an attempt"
            ));
        }
    }

    fn flaky(&self, page: &mut Page) {
        let (flaky, more) = self.retries.flaky();
        if flaky.is_empty() && more == 0 {
            return;
        }
        page.heading("Flaky");
        for test in flaky {
            let passed = test.passed.unwrap_or_default();
            let told = format!("{}, passed on attempt {passed}", test.status.name());
            page.line(&format!("  {}  {}", test.name, page.paint(YELLOW, &format!("({told})"))));
            page.message(test, 4);
        }
        page.more(more, "flaky test");
    }

    fn open(&self, page: &mut Page) {
        const SHOWN: usize = 10;
        if self.open.is_empty() && self.perhaps_open() == 0 {
            return;
        }
        page.heading("Started, but not ended");
        let mut names: Vec<&String> = self.open.values().collect();
        names.sort();
        for name in names.iter().take(SHOWN) {
            page.line(&format!("  {name}"));
        }
        page.more(names.len().saturating_sub(SHOWN) as u64, "test");
        if self.perhaps_open() > 0 {
            page.line(&format!(
                "  and perhaps {} of those that were not followed",
                number(self.perhaps_open())
            ));
        }
    }

    fn slowest(&self, page: &mut Page) {
        let slowest = self.slowest.sorted();
        if slowest.is_empty() {
            return;
        }
        page.heading("Slowest");
        let times: Vec<String> = slowest.iter().map(|slow| duration(slow.duration_ns)).collect();
        let wide = times.iter().map(String::len).max().unwrap_or(0);
        for (slow, time) in slowest.iter().zip(&times) {
            let mut notes = Vec::new();
            if slow.status != Status::Passed {
                notes.push(page.paint(color(slow.status), slow.status.name()));
            }
            if let Some(attempt) = slow.attempt.filter(|attempt| *attempt > 1) {
                notes.push(format!("attempt {attempt}"));
            }
            let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
            let name = cut(&slow.name, page.style.width.saturating_sub(wide + 28));
            page.line(&format!("  {time:>wide$}  {name}{notes}"));
        }
    }

    /// Events that are neither a test's start nor its end, the most frequent types first.
    fn custom(&self, page: &mut Page) {
        const SHOWN: usize = 10;
        let types = self.custom.types();
        if types.is_empty() {
            return;
        }
        page.heading("Events");
        let counts: Vec<String> = types.iter().take(SHOWN).map(|(_, of_type)| estimated(of_type)).collect();
        let wide = counts.iter().map(String::len).max().unwrap_or(0);
        for ((name, _), count) in types.iter().zip(&counts) {
            let name = cut(&safe(name), page.style.width.saturating_sub(wide + 4));
            page.line(&format!("  {count:>wide$}  {name}"));
        }
        let mut others = self.custom.others();
        types.iter().skip(SHOWN).for_each(|(_, of_type)| others.merge(of_type));
        if others.kept() > 0 {
            page.line(&format!("  {:>wide$}  of other types", estimated(&others)));
        }
    }

    fn observation(&self, cost: &Cost, page: &mut Page) {
        page.heading("Observation");
        let loss = |count: u64, word: &str| {
            let told = format!("{} {word}", number(count));
            if count > 0 { page.paint(RED, &told) } else { told }
        };
        let events = [
            format!("{} kept", number(cost.kept)),
            format!("{} sampled out", number(cost.sampled_out)),
            loss(cost.lost, "lost"),
            loss(cost.dropped, "dropped"),
        ];
        page.line(&format!("  events  {} of {}", events.join(", "), counted(cost.hits, "hit")));
        if cost.recalled > 0 {
            let whole = number(cost.kept + cost.recalled);
            let starts = counted(cost.recalled, "start");
            page.hint(&format!(
                "{starts} of those sampled out came after all, as their tests did not pass: {whole} events"
            ));
        }
        if cost.recall_lost > 0 {
            page.hint(&format!(
                "{} of tests that did not pass found no room",
                counted(cost.recall_lost, "start")
            ));
        }
        if cost.aborted > 0 {
            let whose = if cost.aborted == 1 { "its" } else { "their" };
            page.hint(&format!("{} ended with {whose} process", counted(cost.aborted, "test")));
        }
        if cost.abort_lost > 0 {
            page.hint(&format!("{} more ended so, and found no room", counted(cost.abort_lost, "test")));
        }
        if cost.sampled_out > 0 {
            page.hint("names and times above are those of the kept events");
        }
        if cost.lost > 0 {
            page.hint("lost: a larger discovery.ring_bytes helps");
        }
        if cost.dropped > 0 {
            page.hint("dropped: a larger resources.max_queue_size helps");
        }
        if cost.read_faults > 0 {
            page.hint(&format!("{} could not be read", counted(cost.read_faults, "argument")));
        }
        if self.anomalies.kept() > 0 {
            page.hint(&format!("anomalies reported: {}", estimated(&self.anomalies)));
        }
        page.line(&format!("  probes  {} in {}", counted(cost.sites, "site"), counted(cost.images, "file")));
        let busy = cost.agent_cpu_seconds + cost.bpf_run_seconds;
        let share = if cost.life_seconds > 0.0 { busy / cost.life_seconds * 100.0 } else { 0.0 };
        let (agent, kernel) = (seconds(cost.agent_cpu_seconds), seconds(cost.bpf_run_seconds));
        let memory = cost.rss_bytes as f64 / 1e6;
        page.line(&format!(
            "  cost    {share:.2} % of one core ({agent} in the agent, {kernel} in the kernel), {memory:.1} MB"
        ));
    }
}

/// `8 passed (2 flaky), 4 failed`, in colour if there is a page to paint for.
fn outcomes(tests: &[u64; Status::COUNT], flaky: u64, page: Option<&Page>) -> String {
    let mut told = Vec::new();
    for status in ORDER {
        let count = tests[status as usize];
        if count == 0 {
            continue;
        }
        let mut text = format!("{} {}", number(count), status.name());
        if let Some(page) = page {
            text = page.paint(color(status), &text);
        }
        if status == Status::Passed && flaky > 0 {
            text += &format!(" ({} flaky)", number(flaky));
        }
        told.push(text);
    }
    told.join(", ")
}

fn estimated(estimate: &Estimate) -> String {
    about(estimate.kept(), estimate.count(), estimate.count_error())
}

fn time(duration_ns: Option<u64>) -> String {
    duration_ns.map_or_else(|| "-".to_owned(), duration)
}

fn color(status: Status) -> &'static str {
    match status {
        Status::Passed | Status::Xfail => GREEN,
        Status::Failed | Status::Error | Status::Timeout | Status::Aborted => RED,
        Status::Skipped | Status::Xpass | Status::Unknown => YELLOW,
    }
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
