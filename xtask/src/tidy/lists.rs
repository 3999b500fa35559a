//! What the rules are about and what they excuse, each with its reason.

/// The agent's top-level modules. A module imports only itself and those before it.
pub(crate) const ORDER: [&str; 29] = [
    "config",
    "mapping",
    "elf",
    "spec",
    "bpf",
    "privilege",
    "profiler",
    "attach",
    "event",
    "sampling",
    "aggregate",
    "governor",
    "sinks",
    "handlers",
    "metrics",
    "health",
    "control",
    "stream",
    "http",
    "gate",
    "cli",
    "check",
    "client",
    "probes",
    "doctor",
    "observe",
    "exec",
    "runtime",
    "run",
];

/// Modules of the agent whose functions depend on their arguments alone.
pub(crate) const PURE: [&str; 5] = ["mapping", "spec", "sampling", "aggregate", "governor"];

/// What pure modules do not name: runtimes, the kernel, and clocks.
pub(crate) const IMPURE: [&str; 7] =
    ["tokio", "aya", "aya_obj", "procfs", "Instant", "SystemTime", "clock_gettime"];

/// The one module of the agent that names [`KERNEL_NAMES`].
pub(crate) const KERNEL_MODULE: &str = "bpf";
/// aya's crates, and raw system calls.
pub(crate) const KERNEL_NAMES: [&str; 4] = ["aya", "aya_obj", "aya_log", "syscall"];

/// Files of the agent that start tasks or threads, and why there; all others offer functions to call.
pub(crate) const SPAWN: &[(&str, &str)] = &[
    (
        "sidecar-agent/src/bpf/link.rs",
        "closing a perf event takes the kernel 20 to 120 ms, for which nobody waits: the thread only closes",
    ),
    (
        "sidecar-agent/src/config/watch.rs",
        "the thread that waits for changes of the configuration file, joined where the watch is dropped",
    ),
    (
        "sidecar-agent/src/observe/mod.rs",
        "the threads that `exec` and `run` share, joined where observation ends",
    ),
    ("sidecar-agent/src/observe/drain.rs", "the data path's thread, which nothing else may hold up"),
    (
        "sidecar-agent/src/observe/appeared.rs",
        "the thread that sleeps on watched folders, joined where the one that looks at programs ends",
    ),
    ("sidecar-agent/src/observe/watch.rs", "the thread that looks at programs that were executed"),
    (
        "sidecar-agent/src/observe/holding.rs",
        "the gate's questions are answered while `exec`'s own thread waits in the command's exec; joined here",
    ),
    (
        "sidecar-agent/src/observe/letting_go.rs",
        "taking probes off waits in the kernel, and many images can wait together; joined here",
    ),
    (
        "sidecar-agent/src/runtime/keeper.rs",
        "the thread that looks after a running agent, joined where it ends",
    ),
    ("sidecar-agent/src/http/server.rs", "the control plane's own runtime and its connections, joined here"),
    (
        "sidecar-agent/src/http/turn.rs",
        "one call of a kind at a time may block, on a thread of the control plane's",
    ),
    (
        "sidecar-agent/src/sinks/thread.rs",
        "a write may block for as long as a pipe has no reader: a thread a sink",
    ),
    (
        "sidecar-agent/src/handlers/engine.rs",
        "the handlers' runtime, and a thread for each handler that may block; their ends are waited for in drain",
    ),
];

/// Lines that a source file may have.
pub(crate) const MOST_LINES: usize = 400;

/// Files that are longer than [`MOST_LINES`], and why that is right.
pub(crate) const LONG: &[(&str, &str)] = &[];

/// Where unfinished things may be named.
pub(crate) const LEFTOVERS_WELCOME: &str = "docs/roadmap.md";
