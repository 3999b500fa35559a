//! Whether an exception or a panic may leave a file's functions, or their stack may move: then a probe on a return would end
//! the program.

use std::fs::File;

use super::header::Elf;
use super::{ElfError, Limits, needed};

/// How a file's functions may be left otherwise than by returning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwinding {
    /// As far as the file tells, in no way.
    None,
    /// By an exception or a panic, or the file does not tell.
    Exceptions,
    /// The file is Go's, which moves its stacks.
    Go,
}

/// What languages with exceptions put into a file, and what Go does.
const EXCEPTIONS: &[u8] = b".gcc_except_table";
const GO: [&[u8]; 2] = [b".gopclntab", b".go.buildinfo"];
/// Libraries that carry exceptions.
const CARRIERS: [&str; 5] = ["libgcc_s.", "libstdc++.", "libc++.", "libc++abi.", "libunwind."];

/// Asks a file.
///
/// # Errors
/// The file can't be read, is not a 64-bit little-endian program or library, or has tables outside the file or above the
/// limits.
pub fn unwinding(file: &File, limits: &Limits) -> Result<Unwinding, ElfError> {
    let elf = Elf::open(file, limits)?;
    let sections = elf.sections()?;
    let has = |name: &[u8]| sections.all().iter().any(|section| sections.is_named(section, name));
    if GO.iter().any(|name| has(name)) {
        return Ok(Unwinding::Go);
    }
    if sections.all().is_empty() || has(EXCEPTIONS) {
        return Ok(Unwinding::Exceptions);
    }
    let carries = |name: &String| CARRIERS.iter().any(|carrier| name.starts_with(carrier));
    let carries = needed(file, limits)?.needed.iter().any(carries);
    Ok(if carries { Unwinding::Exceptions } else { Unwinding::None })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_program_can_panic() {
        let own = File::open("/proc/self/exe").unwrap();
        assert_eq!(unwinding(&own, &Limits::default()).unwrap(), Unwinding::Exceptions);
    }

    #[test]
    fn a_program_of_c_does_not_unwind_and_one_without_sections_may() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("a.c"), folder.path().join("a"));
        std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        let status = Command::new("gcc").arg("-o").args([&program, &source]).status().unwrap();
        assert!(status.success());
        let of = |path| unwinding(&File::open(path).unwrap(), &Limits::default());
        assert_eq!(of(&program).unwrap(), Unwinding::None);
        let mut bytes = std::fs::read(&program).unwrap();
        // The place and the number of the section headers.
        bytes[40..48].fill(0);
        bytes[60..64].fill(0);
        std::fs::write(&program, bytes).unwrap();
        assert_eq!(of(&program).unwrap(), Unwinding::Exceptions);
        assert!(matches!(of(&source), Err(ElfError::NotElf)));
    }
}
