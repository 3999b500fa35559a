//! Which functions are wanted, and of which files.

use std::{
    fs::File,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use globset::{GlobBuilder, GlobMatcher};

use crate::{
    config::{Config, FunctionName, FunctionPlace},
    elf::{
        DebugFiles, ElfError, EntryCost, Function, FunctionLimits, FunctionPattern, Limits, PatternError,
        Unwinding, functions, inode, unwinding,
    },
    mapping::{self, FunctionMapping, MappingError, Problem},
};

use super::returns::obstacle;

/// The functions that a config wants.
#[derive(Clone, Debug, Default)]
pub struct WantedFunctions(Vec<Arc<Wanted>>);

/// One entry of `functions`.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) mapping: FunctionMapping,
    place: Place,
    pattern: FunctionPattern,
}

/// Which files.
#[derive(Debug)]
enum Place {
    Path(PathBuf),
    Glob(GlobMatcher),
    /// A library's file name.
    Named(String),
    /// All.
    Any,
}

/// A function to attach to.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) wanted: Arc<Wanted>,
    pub(super) function: Function,
    /// Its return is watched.
    pub(super) returns: bool,
}

/// What was found in one file, and what is worth a word.
#[derive(Debug, Default)]
pub(super) struct FoundFunctions {
    pub(super) found: Vec<Found>,
    pub(super) remarks: Vec<Remark>,
}

/// Something about an entry of `functions` in a file that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Its dotted key.
    pub key: String,
    /// Which kind of trouble.
    pub kind: RemarkKind,
    /// What it is.
    pub message: String,
}

/// What a [`Remark`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemarkKind {
    /// No function matches.
    Nothing,
    /// More match than are watched.
    Omitted,
    /// The kernel steps over the first instruction, which takes long.
    Slow,
    /// Some can't be probed.
    Refused,
    /// Returns are not watched, because an exception may leave the functions.
    Unwinds,
    /// The return of some is not watched, because they have none, or because of what they do with it.
    NoReturn,
    /// The file can't be read.
    Unreadable,
    /// The kernel refused.
    Kernel,
}

impl Found {
    /// The dotted key of its entry.
    pub(super) fn key(&self) -> &str {
        &self.wanted.mapping.key
    }
}

impl WantedFunctions {
    /// What the config wants.
    ///
    /// # Errors
    /// An entry that can't be used, with its place, index and key.
    pub fn new(config: &Config) -> Result<Self, MappingError> {
        let wanted = |mapping: FunctionMapping| {
            let fault = |key: &str, text: String| MappingError {
                at: mapping.at.clone(),
                key: format!("{}.{key}", mapping.key),
                problem: Problem::Pattern(text),
            };
            let (key, pattern) = pattern(&mapping.which);
            let pattern = pattern.map_err(|error| fault(key, error.to_string()))?;
            let place = place(&mapping.place).map_err(|error| fault("file", error))?;
            Ok(Arc::new(Wanted { mapping, place, pattern }))
        };
        let mut all = mapping::functions(&config.functions)?;
        all.extend(mapping::presets(&config.presets).functions);
        all.into_iter().map(wanted).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any return is to be watched.
    #[must_use]
    pub fn has_returns(&self) -> bool {
        self.0.iter().any(|wanted| wanted.mapping.on_return.is_some())
    }

    /// Globs of files in which functions are wanted, and names of libraries, those of presets too.
    #[must_use]
    pub fn places(config: &Config) -> (Vec<String>, Vec<String>) {
        let (mut files, mut libraries) = (Vec::new(), mapping::presets(&config.presets).libraries);
        for function in &config.functions {
            match &function.place {
                FunctionPlace::File(file) => files.push(file.clone()),
                FunctionPlace::Library(name) => libraries.push(name.clone()),
                FunctionPlace::Any => {}
            }
        }
        (files, libraries)
    }

    /// The entries that are about this file. A file that a path names may be known by another one.
    pub(super) fn of(&self, file: &File, path: &Path) -> Vec<Arc<Wanted>> {
        let is_named = |named: &Path| {
            let same = || {
                let found = std::fs::metadata(named).ok()?;
                Some((found.dev(), found.ino()) == inode(file).ok()?)
            };
            named == path || same().unwrap_or(false)
        };
        let matches = |wanted: &Arc<Wanted>| match &wanted.place {
            Place::Path(named) => is_named(named),
            Place::Glob(glob) => glob.is_match(path),
            Place::Any => true,
            Place::Named(name) => path.file_name().is_some_and(|file| file.to_string_lossy() == *name),
        };
        self.0.iter().filter(|wanted| matches(wanted)).map(Arc::clone).collect()
    }
}

fn pattern(which: &FunctionName) -> (&'static str, Result<FunctionPattern, PatternError>) {
    match which {
        FunctionName::Symbol(name) => ("symbol", FunctionPattern::exact(name)),
        FunctionName::Glob(glob) => ("glob", FunctionPattern::glob(glob)),
        FunctionName::Regex(regex) => ("regex", FunctionPattern::regex(regex)),
        FunctionName::Offset(offset) => ("offset", Ok(FunctionPattern::Offset(*offset))),
    }
}

fn place(place: &FunctionPlace) -> Result<Place, String> {
    match place {
        FunctionPlace::Any => Ok(Place::Any),
        FunctionPlace::Library(name) if name.starts_with('/') => Ok(Place::Path(name.into())),
        FunctionPlace::Library(name) => Ok(Place::Named(name.clone())),
        FunctionPlace::File(path) if !path.contains(['*', '?', '[', '{', '\\']) => {
            Ok(Place::Path(path.into()))
        }
        FunctionPlace::File(glob) => {
            let glob = GlobBuilder::new(glob).literal_separator(true).build();
            glob.map(|glob| Place::Glob(glob.compile_matcher())).map_err(|error| error.kind().to_string())
        }
    }
}

/// Looks for the functions of a file that entries of the config want. Each place in the file is taken once.
pub(super) fn find(
    file: &File,
    limits: &Limits,
    wanted: &[Arc<Wanted>],
    debug: &DebugFiles,
) -> Result<FoundFunctions, ElfError> {
    let mut all = FoundFunctions::default();
    if wanted.is_empty() {
        return Ok(all);
    }
    let patterns: Vec<_> = wanted.iter().map(|wanted| wanted.pattern.clone()).collect();
    let most = FunctionLimits::default();
    let file_functions = functions(file, limits, &most, &patterns, debug)?;
    let mut taken = std::collections::HashSet::new();
    for (wanted, matched) in wanted.iter().zip(file_functions.matched) {
        let mut remark = |kind, message| {
            all.remarks.push(Remark { key: wanted.mapping.key.clone(), kind, message });
        };
        let pattern = &wanted.pattern;
        if matched.omitted > 0 {
            let (found, omitted) = (matched.found.len(), matched.omitted);
            remark(
                RemarkKind::Omitted,
                format!(
                    "{pattern} matches {} functions; the first {found} are watched, {omitted} are not",
                    found as u64 + omitted
                ),
            );
        }
        if let Some((name, why)) = matched.refused.first() {
            let others = matched.refused.len() as u64 - 1 + matched.refused_more;
            remark(
                RemarkKind::Refused,
                format!("no probe is put on {name}: {why} ({others} more are refused)"),
            );
        } else if matched.found.is_empty() && !matches!(wanted.place, Place::Any) {
            let incomplete = file_functions.incomplete.join("; ");
            remark(
                RemarkKind::Nothing,
                format!("no function matches {pattern} {incomplete}").trim_end().to_owned(),
            );
        }
        let is_slow = |function: &&Function| function.entry.cost == EntryCost::SingleStepped;
        let mut slow = matched.found.iter().filter(is_slow);
        if let Some(first) = slow.next() {
            remark(
                RemarkKind::Slow,
                format!(
                    "each hit of {} takes about {} us, because the kernel has to step over its first instruction ({} more \
                     are like it)",
                    shown(first),
                    EntryCost::SingleStepped.nanoseconds() / 1000,
                    slow.count()
                ),
            );
        }
        let returns = match &wanted.mapping.on_return {
            None => false,
            Some(_) if matched.found.is_empty() => false,
            Some(_) => match unwinding(file, limits)? {
                Unwinding::None => true,
                Unwinding::Exceptions if wanted.mapping.never_unwinds => true,
                Unwinding::Exceptions => {
                    let message = "returns are not watched: an exception or a panic that leaves a function whose return is \
                                   watched would end the program; if none does, say `never_unwinds: true`";
                    remark(RemarkKind::Unwinds, message.to_owned());
                    false
                }
                Unwinding::Go => {
                    let message = "returns are not watched: Go moves its stacks, and would crash";
                    remark(RemarkKind::Unwinds, message.to_owned());
                    false
                }
            },
        };
        let hindered = |function: &Function| obstacle(function, file_functions.start);
        let mut without = matched.found.iter().filter_map(|function| Some((function, hindered(function)?)));
        if let Some((first, why)) = without.next().filter(|_| returns) {
            let message = format!(
                "the return of {} is not watched: {why} ({} more are like it)",
                shown(first),
                without.count()
            );
            remark(RemarkKind::NoReturn, message);
        }
        for function in matched.found {
            if taken.insert(function.entry.offset) {
                let returns = returns && function.is_start && hindered(&function).is_none();
                all.found.push(Found { wanted: Arc::clone(wanted), function, returns });
            }
        }
    }
    Ok(all)
}

/// Longest name of a function in events and metrics, in characters.
const LONGEST_NAME: usize = 256;

/// A function's name for people: as in its source, or its offset.
pub(super) fn shown(function: &Function) -> String {
    let name = if function.demangled.is_empty() { &function.name } else { &function.demangled };
    if name.is_empty() {
        return format!("+{:#x}", function.offset);
    }
    name.chars().take(LONGEST_NAME).collect()
}
