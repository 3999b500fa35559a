//! Matches symbols with patterns, and says of each match where to attach or why not.

use std::collections::HashSet;
use std::time::Instant;

use super::super::header::Elf;
use super::super::{Arch, ElfError};
use super::code::Code;
use super::debug_file::DebugFiles;
use super::demangle::demangled;
use super::entry::{LOOKED_AT, entry};
use super::instruction::is_boundary;
use super::table::{Symbol, Walked, is_full, walk};
use super::unwind::frame_around;
use super::{FileFunctions, Function, FunctionLimits, FunctionPattern, Functions};

/// How far a symbol may be behind the start of its frame to be checked by decoding from there.
const CHECKED: u64 = 64 << 10;

pub(super) fn find(
    elf: &Elf<'_>,
    most: &FunctionLimits,
    patterns: &[FunctionPattern],
    debug: &DebugFiles,
) -> Result<FileFunctions, ElfError> {
    let end = Instant::now() + most.time;
    let sections = elf.sections()?;
    let code = Code::new(elf, &sections)?;
    let mut finder = Finder::new(&code, most, patterns, end);
    let mut incomplete = Vec::new();
    let mut symbols = 0;
    let mut debug_file = None;
    let mut count = |walked: Walked, from: &str, incomplete: &mut Vec<String>| {
        symbols += walked.symbols;
        incomplete.extend(walked.stopped.map(|why| format!("{from}: {why}")));
    };
    if !is_full(&sections)
        && let Some(found) = debug.find(elf, &sections, most, end, &mut incomplete)
    {
        let name = found.path.display().to_string();
        match finder.debug_file(&found.file, elf, most, end) {
            Ok(walked) => {
                count(walked, &name, &mut incomplete);
                debug_file = Some(found.path);
            }
            Err(error) => incomplete.push(format!("{name}: {error}")),
        }
    }
    finder.repeats = debug_file.is_some();
    let walked = walk(elf, &sections, most, end, &mut |symbol| finder.symbol(symbol))?;
    count(walked, "the symbols", &mut incomplete);
    finder.offsets()?;
    let matched = finder.wanted.into_iter().map(|wanted| wanted.functions).collect();
    Ok(FileFunctions { arch: elf.arch, start: elf.start(), matched, symbols, debug_file, incomplete })
}

struct Finder<'c, 'e, 'f, 'l> {
    code: &'c Code<'e, 'f>,
    most: &'l FunctionLimits,
    end: Instant,
    /// Whether the symbols that come now were seen before, most of them.
    repeats: bool,
    wanted: Vec<Wanted<'l>>,
}

/// One pattern and what it has matched.
struct Wanted<'p> {
    pattern: &'p FunctionPattern,
    /// Addresses that were matched, so that each counts once however many names it has.
    seen: HashSet<u64>,
    functions: Functions,
    /// For an offset: its address, and the symbol around it.
    place: Option<Place>,
}

struct Place {
    address: u64,
    around: Option<(String, u64, u64)>,
}

impl<'c, 'e, 'f, 'l> Finder<'c, 'e, 'f, 'l> {
    fn new(
        code: &'c Code<'e, 'f>,
        most: &'l FunctionLimits,
        patterns: &'l [FunctionPattern],
        end: Instant,
    ) -> Self {
        let wanted = |pattern| {
            let mut wanted =
                Wanted { pattern, seen: HashSet::new(), functions: Functions::default(), place: None };
            match pattern {
                FunctionPattern::Offset(offset) => match code.address(*offset) {
                    Ok(address) => wanted.place = Some(Place { address, around: None }),
                    Err(why) => wanted.refuse(most, pattern.to_string(), why),
                },
                FunctionPattern::Exact(_) | FunctionPattern::Glob(_) | FunctionPattern::Regex(_) => {}
            }
            wanted
        };
        Self { code, most, end, repeats: false, wanted: patterns.iter().map(wanted).collect() }
    }

    /// The symbols of a debug file; the code is the program's.
    fn debug_file(
        &mut self,
        file: &std::fs::File,
        of: &Elf<'_>,
        most: &FunctionLimits,
        end: Instant,
    ) -> Result<Walked, ElfError> {
        let elf = Elf::open(file, of.limits)?;
        let sections = elf.sections()?;
        walk(&elf, &sections, most, end, &mut |symbol| self.symbol(symbol))
    }

    fn symbol(&mut self, symbol: &Symbol<'_>) -> Result<(), ElfError> {
        let mut written: Option<String> = None;
        let mut demangle =
            || written.get_or_insert_with(|| demangled(symbol.name, self.most.demangled)).clone();
        for wanted in &mut self.wanted {
            wanted.note_around(self.code, symbol);
            if !wanted.pattern.matches(symbol.name, &mut demangle) || wanted.seen.contains(&symbol.address) {
                continue;
            }
            if wanted.functions.found.len() >= self.most.found {
                wanted.functions.omitted += u64::from(!self.repeats);
                continue;
            }
            // Refusals do not fill it beyond twice the limit; then an alias may be refused twice.
            if wanted.seen.len() < self.most.found.saturating_mul(2) {
                wanted.seen.insert(symbol.address);
            }
            if Instant::now() >= self.end {
                return Ok(());
            }
            match place(self.code, symbol)? {
                Ok(mut function) => {
                    function.demangled = demangle();
                    wanted.functions.found.push(function);
                }
                Err(why) => wanted.refuse(self.most, demangle(), why),
            }
        }
        Ok(())
    }

    /// What is known of the offsets, when all symbols have been seen.
    fn offsets(&mut self) -> Result<(), ElfError> {
        for wanted in &mut self.wanted {
            let Some(place) = wanted.place.take() else { continue };
            match by_offset(self.code, self.most, &place)? {
                Ok(function) => wanted.functions.found.push(function),
                Err(why) => wanted.refuse(self.most, wanted.pattern.to_string(), why),
            }
        }
        Ok(())
    }
}

impl Wanted<'_> {
    fn refuse(&mut self, most: &FunctionLimits, what: String, why: &str) {
        if self.functions.refused.len() < most.refused {
            self.functions.refused.push((what, why.to_owned()));
        } else {
            self.functions.refused_more += 1;
        }
    }

    /// Keeps the symbol that begins nearest before an offset that is wanted.
    fn note_around(&mut self, code: &Code<'_, '_>, symbol: &Symbol<'_>) {
        let Some(place) = &mut self.place else { return };
        let holds = place.address.checked_sub(symbol.address).is_some_and(|within| within < symbol.size);
        if holds
            && code.offset(symbol.address).is_ok()
            && place.around.as_ref().is_none_or(|(_, start, _)| *start < symbol.address)
        {
            place.around = Some((symbol.name.to_owned(), symbol.address, symbol.size));
        }
    }
}

/// Where to attach to the function of a symbol, or why nowhere. Its demangled name is left empty.
fn place(code: &Code<'_, '_>, symbol: &Symbol<'_>) -> Result<Result<Function, &'static str>, ElfError> {
    if symbol.is_resolver {
        return Ok(Err("it only chooses the function to call, when a program starts (an IFUNC)"));
    }
    if is_fragment(symbol.name) {
        return Ok(Err("a part of another function, which is jumped to and not called"));
    }
    if symbol.size == 0 {
        return Ok(Err("its symbol has no size"));
    }
    let offset = match code.offset(symbol.address) {
        Ok(offset) => offset,
        Err(why) => return Ok(Err(why)),
    };
    if !code.holds(symbol.address, symbol.size) {
        return Ok(Err("it ends outside the executable part of the file"));
    }
    if let Some((start, _)) = frame_around(code, symbol.address)
        && let Some(distance) =
            Some(symbol.address - start).filter(|distance| (1..=CHECKED).contains(distance))
        && boundary(code, start, distance)? == Some(false)
    {
        return Ok(Err("its symbol is inside an instruction"));
    }
    let bytes = code.bytes(offset, symbol.size.min(LOOKED_AT))?;
    Ok(entry(code.arch(), &bytes, offset).map(|entry| Function {
        name: symbol.name.to_owned(),
        demangled: String::new(),
        address: symbol.address,
        offset,
        size: symbol.size,
        is_start: true,
        entry,
    }))
}

/// Compilers move code that rarely runs out of its function, and give it a symbol.
fn is_fragment(name: &str) -> bool {
    let mut parts = name.split('.').skip(1);
    parts.any(|part| part == "cold")
}

/// Where to attach at an offset, or why nowhere.
fn by_offset(
    code: &Code<'_, '_>,
    most: &FunctionLimits,
    place: &Place,
) -> Result<Result<Function, &'static str>, ElfError> {
    let address = place.address;
    let offset = match code.offset(address) {
        Ok(offset) => offset,
        Err(why) => return Ok(Err(why)),
    };
    let frame = || frame_around(code, address).map(|(start, end)| (String::new(), start, end - start));
    let around = place.around.clone().or_else(frame);
    let is_known = around.is_some();
    let (name, start, size) = match (around, code.arch()) {
        (Some(around), _) => around,
        // Each of its instructions has four bytes, at a multiple of four.
        (None, Arch::Aarch64) => (String::new(), address, 4),
        (None, Arch::X86_64) => {
            return Ok(Err("neither a symbol nor an unwind table tells where an instruction begins there"));
        }
    };
    let distance = address - start;
    if distance > most.code {
        return Ok(Err(
            "it is too far from the start of its function to find out whether it is an instruction",
        ));
    }
    match boundary(code, start, distance)? {
        Some(true) => {}
        Some(false) => return Ok(Err("it is inside an instruction")),
        None => return Ok(Err("what is between it and the start of its function can't be decoded")),
    }
    let left = size.saturating_sub(distance);
    let bytes = code.bytes(offset, left.min(LOOKED_AT))?;
    Ok(entry(code.arch(), &bytes, offset).map(|entry| Function {
        demangled: demangled(&name, most.demangled),
        name,
        address,
        offset,
        size: left,
        is_start: is_known && distance == 0,
        entry,
    }))
}

/// Whether an instruction begins so many bytes behind an address where one does.
fn boundary(code: &Code<'_, '_>, start: u64, distance: u64) -> Result<Option<bool>, ElfError> {
    let Ok(offset) = code.offset(start) else { return Ok(None) };
    let bytes = code.bytes(offset, distance.saturating_add(super::instruction::LONGEST))?;
    Ok(usize::try_from(distance).ok().and_then(|distance| is_boundary(code.arch(), &bytes, distance)))
}
