//! What the C header promises, and whether the list of exported symbols says the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The interface of the C library.
pub(super) struct Abi {
    /// `SIDECAR_ABI_VERSION`: the number in the library's soname and in its symbols' version.
    pub(super) version: u32,
    /// The exported functions.
    pub(super) functions: BTreeSet<String>,
}

impl Abi {
    /// Reads header and list; they have to agree.
    pub(super) fn read(markers: &Path) -> Result<Self> {
        let header = super::read(&markers.join("include/sidecar.h"))?;
        let symbols = super::read(&markers.join("libsidecar.symbols"))?;
        Self::of(&header, &symbols)
    }

    fn of(header: &str, symbols: &str) -> Result<Self> {
        let version = header
            .lines()
            .find_map(|line| line.strip_prefix("#define SIDECAR_ABI_VERSION "))
            .context("sidecar.h defines no SIDECAR_ABI_VERSION")?;
        let version =
            version.trim().parse().with_context(|| format!("SIDECAR_ABI_VERSION is `{version}`"))?;
        let declared = functions(header);
        let functions: BTreeSet<String> = symbols
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let differing: Vec<_> = declared.symmetric_difference(&functions).collect();
        ensure!(
            differing.is_empty(),
            "sidecar.h and libsidecar.symbols differ about {differing:?}: each function of the header has a line there"
        );
        Ok(Self { version, functions })
    }

    /// The shared library's name in the programs that are linked with it.
    pub(super) fn soname(&self) -> String {
        format!("libsidecar.so.{}", self.version)
    }

    /// The whole version: the ABI's, then those parts of the workspace's that do not break it.
    pub(super) fn full_version(&self) -> String {
        format!("{}.{}.{}", self.version, env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH"))
    }

    /// The linker's version script.
    pub(super) fn version_script(&self) -> String {
        let mut script = format!("SIDECAR_{} {{\n  global:\n", self.version);
        for function in &self.functions {
            let _ = writeln!(script, "    {function};");
        }
        script.push_str("  local: *;\n};\n");
        script
    }
}

/// The names of the functions that a header declares, not those that its comments speak of.
fn functions(header: &str) -> BTreeSet<String> {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let calls = code.match_indices('(').map(|(at, _)| code[..at].trim_end());
    let words = calls.filter_map(|before| before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next());
    words.filter(|word| word.starts_with("sidecar_")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    const HEADER: &str = "/* sidecar_old(x) was one. */\n#define SIDECAR_ABI_VERSION 7\nint sidecar_a(void);\n\
                          void *sidecar_b(int sidecar_value,\n  int x); /* see sidecar_c() */\n";

    #[test]
    fn each_function_of_the_header_has_a_symbol_version_and_none_has_one_besides() {
        let abi = Abi::read(&process::root().join("sidecar-markers")).unwrap();
        assert!(abi.functions.contains("sidecar_abi_version") && abi.version > 0);
    }

    #[test]
    fn a_difference_is_an_error_that_names_the_function() {
        let abi = Abi::of(HEADER, "# list\nsidecar_a\n\nsidecar_b\n").unwrap();
        assert_eq!((abi.version, abi.functions.len(), abi.soname()), (7, 2, "libsidecar.so.7".to_owned()));
        for (symbols, name) in [("sidecar_a", "sidecar_b"), ("sidecar_a\nsidecar_b\nsidecar_z", "sidecar_z")]
        {
            let error = Abi::of(HEADER, symbols).err().unwrap().to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(Abi::of("int sidecar_a(void);", "sidecar_a").is_err());
        assert!(Abi::of("#define SIDECAR_ABI_VERSION x\n", "").is_err());
    }

    #[test]
    fn the_version_script_exports_the_functions_and_nothing_else() {
        let script = Abi::of(HEADER, "sidecar_a\nsidecar_b").unwrap().version_script();
        assert_eq!(script, "SIDECAR_7 {\n  global:\n    sidecar_a;\n    sidecar_b;\n  local: *;\n};\n");
    }
}
