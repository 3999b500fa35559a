//! The systemd unit, the table of docs/privilege.md, and what `sidecar doctor` says.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::agent;
use sidecar_tests::exec::finish;
use tempfile::NamedTempFile;

/// The unit as it is deployed. Part of this program, so that the test runs where the repository is not.
const UNIT: &str = include_str!("../../../deploy/systemd/sidecar.service");
const TABLE: &str = include_str!("../../../docs/privilege.md");

/// The names in the unit's bounding set.
pub(crate) fn unit() -> Result<BTreeSet<String>> {
    let line = UNIT.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    Ok(line.context("the unit has no bounding set")?.split_whitespace().map(str::to_owned).collect())
}

/// Their numbers in the kernel's include/uapi/linux/capability.h.
const NUMBERS: [(&str, u32); 8] = [
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYS_NICE", 23),
    ("CAP_SYS_RESOURCE", 24),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
    ("CAP_CHECKPOINT_RESTORE", 40),
];

/// Whether this machine lets root have it: containers and the like keep some back.
fn can_be_had(name: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let digits = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap_or_default();
    let set = u64::from_str_radix(digits.trim(), 16).unwrap_or(0);
    NUMBERS.iter().any(|&(known, number)| known == name && set >> number & 1 == 1)
}

/// What executes its last arguments with these capabilities alone, as far as they can be had.
pub(crate) fn only(names: &BTreeSet<String>) -> Vec<String> {
    let plus: String = names
        .iter()
        .filter(|name| can_be_had(name))
        .map(|name| format!(",+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    vec!["setpriv".to_owned(), format!("--bounding-set=-all{plus}"), format!("--inh-caps=-all{plus}")]
}

/// What the doctor says with these capabilities alone.
fn doctor(names: &BTreeSet<String>) -> Result<Vec<Value>> {
    let words = only(names);
    let (first, rest) = words.split_first().context("no words")?;
    let output = finish(Command::new(first).args(rest).arg(agent::path()?).args(["doctor", "--json"]))?;
    let answer: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
    answer["checks"].as_array().cloned().context("no checks")
}

fn privileges(checks: &[Value]) -> impl Iterator<Item = (&str, &str)> {
    checks.iter().filter(|check| check["kind"] == "privilege").map(|check| {
        (check["name"].as_str().unwrap_or_default(), check["state"].as_str().unwrap_or_default())
    })
}

pub(crate) fn agree() -> Result<()> {
    let unit = unit()?;
    let table: BTreeSet<String> = TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("| CAP_")?.split(' ').next())
        .map(|name| format!("CAP_{name}"))
        .collect();
    ensure!(unit == table, "the unit has {unit:?}, docs/privilege.md {table:?}");
    let checks = doctor(&unit)?;
    let told: BTreeSet<String> = privileges(&checks).map(|(name, _)| name.to_owned()).collect();
    ensure!(unit == told, "the unit has {unit:?}, the doctor knows {told:?}");
    for (name, state) in privileges(&checks) {
        ensure!((state == "ok") == can_be_had(name), "{name} is {state}");
    }
    Ok(())
}

pub(crate) fn each_taken_away() -> Result<()> {
    let unit = unit()?;
    for name in &unit {
        let mut rest = unit.clone();
        rest.remove(name);
        let stands_in = ["CAP_BPF", "CAP_PERFMON", "CAP_CHECKPOINT_RESTORE"].contains(&name.as_str());
        if stands_in {
            rest.remove("CAP_SYS_ADMIN");
        }
        let checks = doctor(&rest)?;
        let state = privileges(&checks).find(|(told, _)| told == name).map(|(_, state)| state);
        ensure!(matches!(state, Some("missing" | "limited")), "without {name}: {state:?} {checks:?}");
    }
    Ok(())
}

/// systemd itself reads the unit, and finds it safe. Where it is not installed there is nobody to ask.
pub(crate) fn systemd() -> Result<()> {
    let there =
        |name: &str| ["/usr/bin", "/bin"].iter().any(|at| std::path::Path::new(at).join(name).exists());
    if !there("systemd-analyze") {
        println!("systemd is not installed, so that the unit is only read");
        return unit().map(drop);
    }
    // It wants the program to be there, and a name that ends as a unit's.
    let file = NamedTempFile::with_suffix(".service")?;
    std::fs::write(file.path(), UNIT.replace("/usr/local/bin/sidecar", "/bin/true"))?;
    let output = finish(Command::new("systemd-analyze").arg("verify").arg(file.path()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !said.contains(".service:"), "{said}");
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=yes", "--no-pager", "--threshold=45"]).arg(file.path());
    let output = finish(&mut security)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
