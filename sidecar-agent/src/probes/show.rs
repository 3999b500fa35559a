//! A report as text for people. What a file says is made safe for a terminal.

use std::fmt::{Arguments, Write};

use super::report::{FileReport, MarkerReport, PatternReport, Price, Refusal, Report};
use crate::aggregate::safe;

/// Most different lists of arguments of one marker that are shown.
const MOST_FORMS: usize = 8;
/// Most functions of one pattern that are shown.
const MOST_FUNCTIONS: usize = 1_000;

pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    // Of a process, a library with nothing to tell is left out.
    let tells = |file: &&FileReport| {
        report.process.is_none()
            || !file.markers.is_empty()
            || !file.skipped.is_empty()
            || file.functions.iter().any(|of| !of.found.is_empty() || !of.refused.is_empty())
    };
    if let Some(pid) = report.process {
        let (all, told) = (report.files.len(), report.files.iter().filter(tells).count());
        line(&mut text, format_args!("process {pid}: {all} files, {told} of them with something to probe"));
    }
    for file in report.files.iter().filter(tells) {
        if report.process.is_some() {
            text.push('\n');
        }
        one_file(&mut text, file);
    }
    for file in &report.unread {
        line(&mut text, format_args!("\nnot looked at: {}: {}", safe(&file.path), safe(&file.why)));
    }
    text
}

fn one_file(text: &mut String, file: &FileReport) {
    let build_id = file.build_id.as_ref().map(|id| format!(", build id {id}")).unwrap_or_default();
    line(text, format_args!("{}: {}{build_id}", safe(&file.path), file.arch));
    let sites: usize = file.markers.iter().map(|marker| marker.sites.len()).sum();
    match file.markers.len() {
        0 => line(text, format_args!("no markers")),
        markers => line(text, format_args!("{} at {}", count(markers, "marker"), count(sites, "site"))),
    }
    for marker in &file.markers {
        one_marker(text, marker);
    }
    refusals(text, "markers that can't be probed", &file.skipped, 0);
    for pattern in &file.functions {
        functions(text, pattern);
    }
    if file.functions.iter().any(|of| !of.found.is_empty()) {
        line(text, format_args!("{}", returns(file.returns)));
    }
    if let Some(path) = &file.debug_file {
        line(text, format_args!("names of functions from {}", safe(path)));
    }
    for what in &file.incomplete {
        line(text, format_args!("not looked at: {}", safe(what)));
    }
}

fn one_marker(text: &mut String, marker: &MarkerReport) {
    let semaphore = match marker.sites.iter().filter(|site| site.semaphore.is_some()).count() {
        0 => "",
        some if some == marker.sites.len() => ", semaphore",
        _ => ", semaphore at some",
    };
    let known = match &marker.known {
        Some(known) => format!("known: {} (signal {})", known.roles.join(", "), known.signal),
        None => "needs a word in `probes:`, see `sidecar probes suggest`".to_owned(),
    };
    let sites = count(marker.sites.len(), "site");
    let name = format!("{}:{}", safe(&marker.provider), safe(&marker.name));
    line(text, format_args!("  {name}  {sites}{semaphore}; {known}"));
    // Sites of one marker mostly differ in registers alone; each form is told once, with its first price.
    let mut forms: Vec<&str> = Vec::new();
    for site in &marker.sites {
        if forms.contains(&site.arguments.as_str()) {
            continue;
        }
        if forms.len() == MOST_FORMS {
            line(text, format_args!("    and further forms of its arguments (--json has all)"));
            break;
        }
        forms.push(&site.arguments);
        let arguments = if site.arguments.is_empty() { "no arguments".into() } else { safe(&site.arguments) };
        line(text, format_args!("    {arguments}  {}", price(&site.price)));
        for argument in &site.unreadable {
            line(text, format_args!("      {} can't be read: {}", argument.what, safe(&argument.why)));
        }
    }
}

fn functions(text: &mut String, pattern: &PatternReport) {
    let found = pattern.found.len();
    let heading = safe(&pattern.pattern);
    line(text, format_args!("functions {heading}: {found} can be probed"));
    for function in pattern.found.iter().take(MOST_FUNCTIONS) {
        let name = if function.name.is_empty() { "(no name)".into() } else { safe(&function.name) };
        let behind = match function.attach_offset - function.offset {
            0 => String::new(),
            bytes => format!(", {bytes} bytes behind its start"),
        };
        let inside = if function.is_start { "" } else { ", inside a function" };
        let offset = function.attach_offset;
        line(text, format_args!("  {name}  +{offset:#x}{behind}{inside}  {}", price(&function.price)));
    }
    if let Some(more @ 1..) = found.checked_sub(MOST_FUNCTIONS) {
        line(text, format_args!("  and {more} more (--json has them)"));
    }
    if pattern.omitted > 0 {
        line(text, format_args!("  {} more match, beyond the limit", pattern.omitted));
    }
    refusals(text, "  can't be probed", &pattern.refused, pattern.refused_more);
}

fn returns(can: Option<&str>) -> &'static str {
    match can {
        Some("yes") => "returns can be probed too (`on: entry_and_return`)",
        Some("never_unwinds") => {
            "returns only with `never_unwinds: true`: an exception that leaves such a function ends the program"
        }
        _ => "returns can't be probed",
    }
}

fn refusals(text: &mut String, heading: &str, refused: &[Refusal], more: u64) {
    if !refused.is_empty() {
        line(text, format_args!("{heading}: {}", refused.len() as u64 + more));
    }
    for refusal in refused {
        line(text, format_args!("    {}: {}", safe(&refusal.what), safe(&refusal.why)));
    }
    if more > 0 {
        line(text, format_args!("    and {more} more"));
    }
}

fn price(price: &Price) -> String {
    match (price.hit_nanoseconds, &price.refused) {
        (Some(nanoseconds), _) => {
            let stepped = if price.cost == Some("single_stepped") { ": the kernel single-steps" } else { "" };
            format!("about {} us a hit{stepped}", nanoseconds / 1_000)
        }
        (None, why) => format!("refused: {}", safe(why.as_deref().unwrap_or_default())),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn line(text: &mut String, line: Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "{line}");
}
