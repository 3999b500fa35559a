//! Argument texts of real programs, and specs made of them.

mod compile;
mod parse;

use super::ArgPlace;
use crate::elf::Arch;

fn parse(text: &str, arch: Arch) -> Vec<ArgPlace> {
    super::parse_args(text, arch, 0x1000, None)
}
