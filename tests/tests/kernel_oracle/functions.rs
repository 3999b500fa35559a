//! Functions of the C library, which has no markers in Debian.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use sidecar_tests::node::scratch::Scratch;

use crate::compared::{Probe, compare, copy};

/// Entries and returns of a copy of the C library.
pub(crate) fn libc() -> Result<()> {
    const NAMES: [&str; 4] = ["getppid", "qsort", "strtol", "exit"];
    let scratch = Scratch::new()?;
    let (source, program) = (scratch.path("calls.c"), scratch.path("calls"));
    std::fs::write(
        &source,
        "#include <stdlib.h>\n#include <unistd.h>\n#include <sys/wait.h>\n
         static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
         int main(void) {
           for (int i = 0; i < 3000; ++i) { int few[3] = {3, i, 1}; qsort(few, 3, sizeof *few, order); }
           for (int i = 0; i < 5000; ++i) { getppid(); strtol(\"12\", 0, 10); }
           for (int i = 0; i < 20; ++i) if (fork() == 0) { getppid(); exit(0); }
           while (wait(0) > 0) {}
           return 0; }",
    )?;
    let mut compiler = Command::new("gcc");
    ensure!(compiler.args(["-O0", "-fno-builtin", "-o"]).args([&program, &source]).status()?.success());
    let found = Command::new("gcc").arg("-print-file-name=libc.so.6").output()?;
    let library = copy(&scratch, Path::new(String::from_utf8(found.stdout)?.trim()), "libc.so.6")?;
    let path = library.display();
    let mut lines = "functions:\n".to_owned();
    let mut probes = Vec::new();
    for name in NAMES {
        let returns = name != "exit";
        let moment = if returns { ", on: entry_and_return, never_unwinds: true" } else { "" };
        lines.push_str(&format!("  - {{library: '{path}', provider: oracle, symbol: {name}{moment}}}\n"));
        let ours = |suffix: &str| ("oracle".to_owned(), format!("{name}{suffix}"));
        probes.push(Probe { theirs: format!("uprobe:\"{path}\":{name}"), ours: ours("") });
        if returns {
            probes.push(Probe { theirs: format!("uretprobe:\"{path}\":{name}"), ours: ours("%return") });
        }
    }
    let mut workload = Command::new(&program);
    workload.env("LD_LIBRARY_PATH", scratch.path(""));
    let counts = compare(&scratch, &library, &lines, &probes, &mut workload)?;
    assert_eq!(counts, [5020, 5020, 3000, 3000, 5000, 5000, 21], "what the program did");
    Ok(())
}
