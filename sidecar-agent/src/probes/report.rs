//! What can be probed in files, as data.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::error::InspectError;
use crate::elf::{
    Arch, DebugFiles, ElfError, EntryCost, Function, FunctionLimits, FunctionPattern, ImageNotes, Limits,
    Note, Unwinding, functions, read_notes, site_cost, symbol_addresses, unwinding,
};
use crate::mapping::{Mapping, builtin};
use crate::spec::parse_args;

/// Symbols of one file that arguments may name; each look-up reads the file's table.
const MOST_SYMBOLS: usize = 32;

/// A file to look at.
pub(super) struct Target<'f> {
    pub(super) file: &'f File,
    /// For people.
    pub(super) path: &'f Path,
    pub(super) debug: DebugFiles,
}

/// What can be probed in a file, or in the files of a process.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The process, if it was one.
    pub(super) process: Option<u32>,
    pub(super) files: Vec<FileReport>,
    /// Files of the process that could not be looked at.
    pub(super) unread: Vec<Unread>,
}

/// A file that could not be looked at.
#[derive(Debug, Serialize)]
pub(super) struct Unread {
    pub(super) path: String,
    pub(super) why: String,
}

/// What can be probed in one file.
#[derive(Debug, Serialize)]
pub(super) struct FileReport {
    pub(super) path: String,
    pub(super) arch: &'static str,
    /// None also where it has no markers.
    pub(super) build_id: Option<String>,
    pub(super) markers: Vec<MarkerReport>,
    /// Markers that can't be probed.
    pub(super) skipped: Vec<Refusal>,
    /// For each pattern.
    pub(super) functions: Vec<PatternReport>,
    /// Whether returns of functions can be probed: `yes`, `never_unwinds` (only where no exception leaves them, and the
    /// configuration says so), `no`; none if nobody asked for functions.
    pub(super) returns: Option<&'static str>,
    /// The debug file that names of functions were taken from.
    pub(super) debug_file: Option<String>,
    /// What was not looked at for functions, and why.
    pub(super) incomplete: Vec<String>,
}

/// A marker and its sites.
#[derive(Debug, Serialize)]
pub(super) struct MarkerReport {
    pub(super) provider: String,
    pub(super) name: String,
    /// What sidecar takes it for without a word in the configuration.
    pub(super) known: Option<Known>,
    pub(super) sites: Vec<SiteReport>,
}

/// What a known marker is.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Known {
    pub(super) signal: String,
    /// The roles of its arguments.
    pub(super) roles: Vec<&'static str>,
}

/// One place of a marker.
#[derive(Debug, Serialize)]
pub(super) struct SiteReport {
    pub(super) offset: u64,
    pub(super) semaphore: Option<u64>,
    /// As the compiler wrote them.
    pub(super) arguments: String,
    /// Arguments that can't be read.
    pub(super) unreadable: Vec<Refusal>,
    #[serde(flatten)]
    pub(super) price: Price,
}

/// What a hit costs, or why there can be none.
#[derive(Debug, Serialize)]
pub(super) struct Price {
    /// `emulated`, `single_stepped`, or nothing.
    pub(super) cost: Option<&'static str>,
    pub(super) hit_nanoseconds: Option<u32>,
    pub(super) refused: Option<String>,
}

/// What can't be had, and why.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) why: String,
}

/// What a pattern matched.
#[derive(Debug, Serialize)]
pub(super) struct PatternReport {
    pub(super) pattern: String,
    pub(super) found: Vec<FunctionReport>,
    pub(super) omitted: u64,
    pub(super) refused: Vec<Refusal>,
    pub(super) refused_more: u64,
}

/// A function.
#[derive(Debug, Serialize)]
pub(super) struct FunctionReport {
    pub(super) name: String,
    pub(super) symbol: String,
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) attach_offset: u64,
    /// Whether its return can be probed too.
    pub(super) is_start: bool,
    #[serde(flatten)]
    pub(super) price: Price,
}

impl Report {
    pub(super) fn of_file(target: &Target<'_>, patterns: &[FunctionPattern]) -> Result<Self, InspectError> {
        let unusable = |source| InspectError::Unusable { path: target.path.to_owned(), source };
        let file = look(target, patterns).map_err(unusable)?;
        Ok(Self { process: None, files: vec![file], unread: Vec::new() })
    }

    /// Adds a file; one that can't be looked at is no error.
    pub(super) fn add(&mut self, target: &Target<'_>, patterns: &[FunctionPattern]) {
        match look(target, patterns) {
            Ok(file) => self.files.push(file),
            Err(error) => {
                self.unread.push(Unread { path: target.path.display().to_string(), why: error.to_string() });
            }
        }
    }

    /// Writes the folder by which files were reached in another way, for people.
    pub(super) fn rename(&mut self, held: &str, shown: &str) {
        for file in &mut self.files {
            for text in file.debug_file.iter_mut().chain(&mut file.incomplete) {
                *text = text.replace(held, shown);
            }
        }
    }

    pub(super) fn json(&self) -> Value {
        // Maps with other keys than strings are all that could fail, and there are none.
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn look(target: &Target<'_>, patterns: &[FunctionPattern]) -> Result<FileReport, ElfError> {
    let limits = Limits::default();
    let notes = read_notes(target.file, &limits)?;
    let mut report = FileReport {
        path: target.path.display().to_string(),
        arch: match notes.arch {
            Arch::X86_64 => "x86-64",
            Arch::Aarch64 => "aarch64",
        },
        build_id: notes.build_id.as_ref().map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect()),
        markers: markers(target.file, &notes, &limits),
        skipped: notes.skipped.iter().map(refusal).collect(),
        functions: Vec::new(),
        returns: None,
        debug_file: None,
        incomplete: Vec::new(),
    };
    if !patterns.is_empty() {
        let most = FunctionLimits::default();
        let found = functions(target.file, &limits, &most, patterns, &target.debug)?;
        for (pattern, matched) in patterns.iter().zip(&found.matched) {
            report.functions.push(PatternReport {
                pattern: pattern.to_string(),
                found: matched.found.iter().map(function).collect(),
                omitted: matched.omitted,
                refused: matched.refused.iter().map(refusal).collect(),
                refused_more: matched.refused_more,
            });
        }
        report.returns = Some(match unwinding(target.file, &limits)? {
            Unwinding::None => "yes",
            Unwinding::Exceptions => "never_unwinds",
            Unwinding::Go => "no",
        });
        report.debug_file = found.debug_file.map(|path| path.display().to_string());
        report.incomplete = found.incomplete;
    }
    Ok(report)
}

/// The markers by provider and name, each with its sites in the order of the notes.
fn markers(file: &File, notes: &ImageNotes, limits: &Limits) -> Vec<MarkerReport> {
    let known = builtin();
    let left = Cell::new(MOST_SYMBOLS);
    let symbol = |name: &str| {
        left.set(left.get().checked_sub(1)?);
        symbol_addresses(file, limits, &[name.to_owned()]).ok()?.remove(name)
    };
    let mut markers: BTreeMap<(&str, &str), MarkerReport> = BTreeMap::new();
    for note in &notes.notes {
        let marker = markers.entry((&note.provider, &note.name)).or_insert_with(|| MarkerReport {
            provider: note.provider.clone(),
            name: note.name.clone(),
            known: known_as(&known, note),
            sites: Vec::new(),
        });
        let places = parse_args(&note.args, notes.arch, note.address, Some(&symbol));
        let unreadable = places.iter().enumerate().filter_map(|(position, argument)| {
            let why = argument.place.obstacle()?.to_owned();
            Some(Refusal { what: format!("arg{position}"), why })
        });
        marker.sites.push(SiteReport {
            offset: note.offset,
            semaphore: note.semaphore,
            arguments: note.args.clone(),
            unreadable: unreadable.collect(),
            price: price(site_cost(file, notes.arch, note.offset)),
        });
    }
    markers.into_values().collect()
}

fn known_as(known: &[Mapping], note: &Note) -> Option<Known> {
    let found = known.iter().find(|of| of.provider == note.provider && of.marker == note.name)?;
    let roles = found.args.iter().map(|argument| argument.role.word()).collect();
    Some(Known { signal: found.signal.clone(), roles })
}

fn function(function: &Function) -> FunctionReport {
    FunctionReport {
        name: function.demangled.clone(),
        symbol: function.name.clone(),
        address: function.address,
        offset: function.offset,
        size: function.size,
        attach_offset: function.entry.offset,
        is_start: function.is_start,
        price: price(Ok(function.entry.cost)),
    }
}

fn price(cost: Result<EntryCost, &'static str>) -> Price {
    match cost {
        Ok(cost) => Price {
            cost: Some(match cost {
                EntryCost::Emulated => "emulated",
                EntryCost::SingleStepped => "single_stepped",
            }),
            hit_nanoseconds: Some(cost.nanoseconds()),
            refused: None,
        },
        Err(why) => Price { cost: None, hit_nanoseconds: None, refused: Some(why.to_owned()) },
    }
}

fn refusal((what, why): &(String, String)) -> Refusal {
    Refusal { what: what.clone(), why: why.clone() }
}
