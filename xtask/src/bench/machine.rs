//! One line about the machine, so that a figure is never quoted without it.

use std::fs;

/// Kernel, processor and number of cores.
pub(crate) fn describe() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    line(kernel.trim(), &cpuinfo, std::env::consts::ARCH, cores)
}

fn line(kernel: &str, cpuinfo: &str, arch: &str, cores: usize) -> String {
    let model = cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")
        .map_or("unknown processor", |(_, model)| model.trim());
    let kernel = if kernel.is_empty() { "unknown" } else { kernel };
    format!("Linux {kernel}, {arch}, {model}, {cores} cores")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_taken_from_cpuinfo_where_it_is_there() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Fast CPU @ 3: 1 GHz\n";
        assert_eq!(
            line("6.18.1", cpuinfo, "x86_64", 2),
            "Linux 6.18.1, x86_64, Fast CPU @ 3: 1 GHz, 2 cores"
        );
        assert_eq!(line("", "", "aarch64", 4), "Linux unknown, aarch64, unknown processor, 4 cores");
    }
}
