//! The benchmarks of the kernel path: programs `bench_*` of the crate `tests`, which print what
//! [`super::figures`] describes. They load BPF programs, so they need root.

use std::process::Command;

use super::{Benchmark, Case, Limit, figures};
use crate::process;

/// The crate with the programs.
const PACKAGE: &str = "sidecar-tests";

/// A measuring program and what is promised of its figures.
pub(crate) struct Program {
    name: &'static str,
    about: &'static str,
    /// The program's name in the crate `tests`.
    program: &'static str,
    /// Its arguments.
    args: &'static [&'static str],
    rounds: u32,
    limits: &'static [(&'static str, Limit)],
}

/// Every measuring program.
pub(crate) const PROGRAMS: [Program; 13] = [
    Program {
        name: "hit",
        about: "a counted hit, against an empty BPF program at the same site",
        program: "bench_hit",
        args: &["empty", "counted"],
        rounds: 5,
        limits: &[("hit", Limit::Ratio(1.15))],
    },
    Program {
        name: "kept",
        about: "a kept record with two strings of 32 bytes, against an empty BPF program at the same site",
        program: "bench_hit",
        args: &["empty", "kept"],
        rounds: 5,
        limits: &[("kept", Limit::Ratio(2.0))],
    },
    Program {
        name: "wakeups",
        about: "how often the reader wakes at 1,000,000 hits a second: a fifth of them kept, and all",
        program: "bench_wakeups",
        args: &[],
        rounds: 3,
        limits: &[
            ("fifth_wakeups", Limit::Value(1100.0)),
            ("fifth_sleeps", Limit::Value(1100.0)),
            ("all_wakeups", Limit::Value(1100.0)),
        ],
    },
    Program {
        name: "drain",
        about: "300,000 kept records a second for 20 seconds: records lost, the agent's memory",
        program: "bench_drain",
        args: &["300000", "20"],
        rounds: 3,
        limits: &[
            ("rate", Limit::AtLeast(299_000.0)),
            ("lost", Limit::Each(0.0)),
            ("dropped", Limit::Each(0.0)),
            ("rss_mb", Limit::Value(40.0)),
        ],
    },
    Program {
        name: "flood",
        about: "a flood of tests that would cost 40 % of a core: back within the budget, kept, climbed up again",
        program: "bench_flood",
        args: &["target/bench/flood-series.json"],
        rounds: 1,
        limits: &[
            ("would_percent", Limit::AtLeast(35.0)),
            ("within_s", Limit::Each(10.0)),
            ("then_percent", Limit::Each(5.0)),
            ("full_again_s", Limit::Each(60.0)),
            ("failures_missing", Limit::Each(0.0)),
            ("failures_in_part", Limit::Each(0.0)),
            ("miscounted", Limit::Each(0.0)),
            ("rss_mb", Limit::Each(100.0)),
        ],
    },
    Program {
        name: "idle",
        about: "the agent with nothing to do: memory, processor, wake-ups",
        program: "bench_idle",
        args: &["20"],
        rounds: 3,
        limits: &[
            ("rss_mb", Limit::Value(16.0)),
            ("cpu_percent", Limit::Value(0.1)),
            ("wakeups", Limit::Value(5.0)),
        ],
    },
    Program {
        name: "detach",
        about: "letting go of 10,000 sites, by request and by kill -9",
        program: "bench_detach",
        args: &[],
        rounds: 1,
        limits: &[("detach_ms", Limit::Value(200.0)), ("killed_ms", Limit::Value(200.0))],
    },
    Program {
        name: "control",
        about: "health, scrapes, reloads and the kill switch at 50,000 kept events a second, beside slow clients",
        program: "bench_control",
        args: &["50000", "20"],
        rounds: 1,
        limits: &[
            ("rate", Limit::AtLeast(49_000.0)),
            ("lost", Limit::Each(0.0)),
            ("dropped", Limit::Each(0.0)),
            ("health_ms", Limit::Each(50.0)),
            ("reload_ms", Limit::Each(100.0)),
            ("switch_ms", Limit::Each(200.0)),
        ],
    },
    Program {
        name: "exec",
        about: "what `sidecar exec` adds to a command's start, and to a suite of 500 tests of 2 ms",
        program: "bench_exec",
        args: &[],
        rounds: 1,
        limits: &[],
    },
    Program {
        name: "scale",
        about: "50,000 sites attached and let go; 2,000 images that are there at the start",
        program: "bench_scale",
        args: &[],
        rounds: 1,
        limits: &[
            ("attach_ms", Limit::Value(1000.0)),
            ("let_go_ms", Limit::Value(500.0)),
            ("images_busy_s", Limit::Each(2.0)),
            ("images_rss_mb", Limit::Each(60.0)),
        ],
    },
    Program {
        name: "discover",
        about: "from the exec of a new program until it is watched, beside 200 execs a second",
        program: "bench_discover",
        args: &[],
        rounds: 1,
        limits: &[("execs", Limit::AtLeast(195.0)), ("attached_p99_ms", Limit::Value(5.0))],
    },
    Program {
        name: "unwatched",
        about: "an exec of a program that has nothing to be watched, with the agent against without",
        program: "bench_discover",
        args: &["cost"],
        rounds: 1,
        limits: &[("unwatched", Limit::Ratio(1.03))],
    },
    Program {
        name: "churn",
        about: "100,000 short processes and 2,000 images that come and go: what is left of them",
        program: "bench_churn",
        args: &[],
        rounds: 1,
        limits: &[
            ("descriptors_left", Limit::Each(8.0)),
            ("memory_left_mb", Limit::Each(16.0)),
            ("hits_missing", Limit::Each(0.0)),
            ("unbalanced", Limit::Each(0.0)),
        ],
    },
];

impl Program {
    fn cargo(&self, verb: &str) -> Command {
        let mut command = process::command(["cargo", verb, "--quiet", "--release", "-p", PACKAGE]);
        // Some of the programs start others of the crate.
        match verb {
            "build" => command.arg("--bins"),
            _ => command.args(["--bin", self.program, "--"]).args(self.args),
        };
        command
    }
}

impl Benchmark for Program {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn rounds(&self) -> u32 {
        self.rounds
    }

    fn prepare(&self) -> Vec<Command> {
        // The agent is measured as users run it.
        let agent = process::command(["cargo", "build", "--quiet", "--release", "-p", "sidecar-agent"]);
        vec![agent, self.cargo("build")]
    }

    fn baseline(&self) -> Option<Case> {
        None
    }

    fn cases(&self) -> Vec<Case> {
        vec![Case { name: self.name, command: self.cargo("run"), parse: figures::parse }]
    }

    fn limits(&self) -> Vec<(&'static str, Limit)> {
        self.limits.to_vec()
    }
}
