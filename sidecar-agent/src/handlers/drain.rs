//! The end of a handler: it takes nothing more, gets a grace for what waits, and the rest is counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::slot::Slot;
use super::stats::Kind;

/// After the grace, tasks get so long to end what they are at: their children are killed meanwhile.
const TASKS_END: Duration = Duration::from_secs(3);
/// A thread that is stuck can't be ended; one that is about to end anyway gets so long.
const THREAD_ENDS: Duration = Duration::from_millis(100);

/// Ends a handler. Afterwards its counters are final.
pub(super) async fn drain(slot: Arc<Slot>, grace: Duration) {
    slot.intake.queue.close();
    let mut workers = slot.take_workers();
    if timeout(grace, all_ended(&mut workers)).await.is_err() {
        slot.abandon();
        let longest = match slot.tally.kind() {
            Kind::Command | Kind::Http => TASKS_END,
            Kind::Jsonl | Kind::Function => THREAD_ENDS,
        };
        if timeout(longest, all_ended(&mut workers)).await.is_err() {
            tracing::warn!(handler = slot.name, "a handler does not end; it is left behind");
        }
    }
    slot.intake.queue.discard();
    slot.tally.seal(&slot.intake.queue);
    let stats = slot.stats();
    let missing = stats.failed() + stats.dropped();
    if missing > 0 {
        tracing::warn!(
            handler = slot.name,
            "the handler has ended: {} events handled, {missing} not",
            stats.handled
        );
    }
    slot.ended.send_replace(true);
}

/// Waits for each worker; one that is waited for is taken from the list, so that this can be called again.
async fn all_ended(workers: &mut Vec<oneshot::Receiver<()>>) {
    while let Some(worker) = workers.last_mut() {
        // An error is a worker that ended without a word: dropped, or by a panic.
        let _ = worker.await;
        workers.pop();
    }
}
