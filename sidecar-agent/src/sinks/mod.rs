//! Where events leave the agent: each sink sits behind a bounded queue of its own and runs on a thread of
//! its own, so a slow, full or broken one stops and blocks nothing else. What a sink can't take is counted
//! with its reason.

mod jsonl;
mod lanes;
mod output;
mod queue;
mod thread;

pub use jsonl::{JsonlSink, SinkProbe, SinkStats};
pub use output::{SinkError, Target};
pub use queue::{Queue, QueueStats};
pub use thread::{SinkThread, start};
