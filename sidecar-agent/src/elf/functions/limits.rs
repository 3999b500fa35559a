//! What looking for functions may cost at most.

use std::time::Duration;

/// What looking for functions may cost at most, besides [`super::Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionLimits {
    /// Most functions for each pattern; further ones are counted. Default 10,000.
    pub found: usize,
    /// Most refusals that are listed for each pattern. Default 64.
    pub refused: usize,
    /// Most symbols of a file. Default 16 million.
    pub symbols: u64,
    /// Longest time for one file. Default 5 s.
    pub time: Duration,
    /// Longest symbol that is looked at, in bytes; nothing longer is matched. Default 4 KiB.
    pub name: usize,
    /// Longest demangled name, in bytes; a symbol that comes to more keeps its own name. Default 8 KiB.
    pub demangled: usize,
    /// Most bytes of code that are decoded from a function's start to an offset in it. Default 1 MiB.
    pub code: u64,
    /// Longest debug file whose checksum is taken; reading more takes too long. Default 1 GiB.
    pub checksum: u64,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        Self {
            found: 10_000,
            refused: 64,
            symbols: 16_000_000,
            time: Duration::from_secs(5),
            name: 4 << 10,
            demangled: 8 << 10,
            code: 1 << 20,
            checksum: 1 << 30,
        }
    }
}
