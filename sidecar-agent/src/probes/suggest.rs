//! A configuration for the markers of a file, and for functions by pattern.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write};
use std::path::Path;

use super::error::InspectError;
use crate::aggregate::safe;
use crate::elf::{
    DebugFiles, ElfError, EntryCost, FileFunctions, Function, FunctionLimits, FunctionPattern, ImageNotes,
    Limits, functions, open, read_notes,
};
use crate::mapping::builtin;
use crate::spec::{ArgPlace, parse_args};

/// Longest name that a configuration takes.
const LONGEST_NAME: usize = 128;
/// Most markers that are suggested.
const MOST_MARKERS: usize = 1_000;

/// The configuration, with comments.
pub(super) fn suggestion(path: &Path, patterns: &[FunctionPattern]) -> Result<String, InspectError> {
    let unusable = |source: ElfError| InspectError::Unusable { path: path.to_owned(), source };
    let file = open(path).map_err(|source| InspectError::open(path, source))?;
    let notes = read_notes(&file, &Limits::default()).map_err(unusable)?;
    let whole = path.canonicalize().map_err(|source| InspectError::open(path, source))?;
    let mut text = text(&whole, &notes, !patterns.is_empty());
    if !patterns.is_empty() {
        let (limits, most) = (Limits::default(), FunctionLimits::default());
        let found =
            functions(&file, &limits, &most, patterns, &DebugFiles::system(&whole)).map_err(unusable)?;
        watched(&mut text, &whole, patterns, &found);
    }
    Ok(text)
}

fn text(path: &Path, notes: &ImageNotes, with_functions: bool) -> String {
    let known = builtin();
    let is_known =
        |provider: &str, name: &str| known.iter().any(|of| of.provider == provider && of.marker == name);
    let mut markers: BTreeMap<(&str, &str), Vec<ArgPlace>> = BTreeMap::new();
    let mut known_ones = 0;
    for note in &notes.notes {
        let (provider, name) = (note.provider.as_str(), note.name.as_str());
        let places = parse_args(&note.args, notes.arch, note.address, None);
        let marker = markers.entry((provider, name)).or_default();
        // Sites of one marker have the same arguments; the longest list is the one that was understood best.
        if places.len() > marker.len() {
            *marker = places;
        }
    }
    markers.retain(|(provider, name), _| {
        let known = is_known(provider, name);
        known_ones += usize::from(known);
        !known
    });

    let mut text = String::new();
    line(&mut text, format_args!("# The markers of {}.", safe(&path.display().to_string())));
    if known_ones > 0 {
        line(
            &mut text,
            format_args!("# {known_ones} of its markers are known to sidecar and need no word here."),
        );
    }
    if known_ones > 0 || !markers.is_empty() {
        wanted(&mut text, path);
    }
    if markers.is_empty() {
        line(&mut text, format_args!("# It has {} markers.", if known_ones > 0 { "no other" } else { "no" }));
        if !with_functions {
            line(&mut text, format_args!("probes: []"));
        }
        return text;
    }
    line(
        &mut text,
        format_args!(
            "# The file does not say what an argument means. A number is always right; change what you"
        ),
    );
    line(
        &mut text,
        format_args!(
            "# know better. Roles: docs/configuration.md. `sidecar check` says whether it is right."
        ),
    );
    line(&mut text, format_args!("probes:"));
    for ((provider, name), arguments) in markers.iter().take(MOST_MARKERS) {
        if !is_name(provider) || !is_name(name) {
            let marker = format!("{}:{}", safe(provider), safe(name));
            line(&mut text, format_args!("  # left out, its name can't be used: {marker}"));
            continue;
        }
        one(&mut text, provider, name, arguments);
    }
    if let Some(more @ 1..) = markers.len().checked_sub(MOST_MARKERS) {
        line(&mut text, format_args!("  # and {more} more markers"));
    }
    text
}

/// Where the agent is to look.
fn wanted(text: &mut String, path: &Path) {
    line(text, format_args!("discovery:"));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match path.to_str() {
        Some(_) if name.starts_with("lib") && name.contains(".so") => {
            line(text, format_args!("  # A library: wherever the loader finds it. Its path is taken too."));
            line(text, format_args!("  libraries: [{}]", quoted(name)));
        }
        Some(path) => line(text, format_args!("  files: [{}]", quoted(&globset::escape(path)))),
        None => line(text, format_args!("  files: []  # its path is not UTF-8: name it by a glob")),
    }
}

/// The functions; a pattern that finds none is left out.
fn watched(text: &mut String, path: &Path, patterns: &[FunctionPattern], found: &FileFunctions) {
    let matched = || patterns.iter().zip(&found.matched);
    let Some(file) = path.to_str().filter(|_| matched().any(|(_, of)| !of.found.is_empty())) else {
        line(
            text,
            format_args!(
                "functions: []  # none was found that can be probed (`sidecar probes inspect` says why)"
            ),
        );
        return;
    };
    line(text, format_args!("functions:"));
    for (pattern, of) in matched() {
        if of.found.is_empty() {
            line(text, format_args!("  # nothing that can be probed matches {}", safe(&pattern.to_string())));
            continue;
        }
        let (all, slow) = (of.found.len(), of.found.iter().filter(|one| is_slow(one)).count());
        let (fast, slowly) = (EntryCost::Emulated.nanoseconds(), EntryCost::SingleStepped.nanoseconds());
        let (fast, slowly) = (fast / 1_000, slowly / 1_000);
        line(
            text,
            format_args!("  # {all} found: a hit costs about {fast} us, of {slow} of them about {slowly} us"),
        );
        line(text, format_args!("  - file: {}", quoted(&globset::escape(file))));
        match pattern.setting() {
            (key @ "offset", value) => line(text, format_args!("    {key}: {value}")),
            (key, value) => line(text, format_args!("    {key}: {}", quoted(&value))),
        }
        line(text, format_args!("    # on: entry_and_return  # to count how long each call takes"));
    }
}

fn is_slow(function: &Function) -> bool {
    function.entry.cost == EntryCost::SingleStepped
}

fn one(text: &mut String, provider: &str, name: &str, arguments: &[ArgPlace]) {
    line(text, format_args!("  - provider: {}", quoted(provider)));
    line(text, format_args!("    marker: {}", quoted(name)));
    if let Some(event) = test_event(name) {
        line(
            text,
            format_args!(
                "    # event: {event}  # if it is one; a test needs an argument of the role test_id"
            ),
        );
    }
    if arguments.is_empty() {
        return;
    }
    line(text, format_args!("    args:"));
    for (position, argument) in arguments.iter().enumerate() {
        let guess = match argument.place.obstacle() {
            Some(why) => format!("can't be read: {}", safe(why)),
            None => guess(argument).to_owned(),
        };
        line(text, format_args!("      - {{name: arg{position}, role: plain, type: integer}}  # {guess}"));
    }
}

/// What an argument of this size may be.
const fn guess(argument: &ArgPlace) -> &'static str {
    match (argument.size, argument.signed) {
        (8, false) => {
            "8 bytes: a number or an address. If it is text: {role: test_id, type: string}, message, ..."
        }
        (8, true) => {
            "8 bytes, signed: a number, an address or a time. If it is a time: {role: duration, unit: ns}"
        }
        (4, _) => "4 bytes: a number. If it is an outcome: {role: status}, with `status:`",
        (_, _) => "a small number",
    }
}

/// What a marker of this name may be.
fn test_event(name: &str) -> Option<&'static str> {
    let words: Vec<_> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    if !has(&["test", "case", "spec", "attempt"]) {
        None
    } else if has(&["start", "begin", "started", "entry"]) {
        Some("test_start")
    } else {
        has(&["end", "done", "finish", "finished", "stop", "return"]).then_some("test_end")
    }
}

fn is_name(name: &str) -> bool {
    let good = |c: char| !c.is_control() && !c.is_whitespace();
    !name.is_empty() && name.chars().count() <= LONGEST_NAME && name.chars().all(good)
}

/// Text in quotes. What JSON escapes, YAML reads the same way; a dollar is one, and begins no variable.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}

fn line(text: &mut String, line: Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "{line}");
}
