//! Where handlers work: one thread with a runtime for all that wait without blocking, and a thread for each that
//! may block.

use std::io;
use std::pin::Pin;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::tally::Worker;

/// Threads for what blocks inside of the runtime: looking up host names.
const BLOCKING_THREADS: usize = 4;

/// What a handler does until its queue is closed and empty.
pub(super) enum Work {
    /// It waits without blocking.
    Task(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It may block.
    Thread(Box<dyn FnOnce() + Send>),
}

/// The runtime's thread. Dropping it ends every task where it waits.
pub(super) struct Engine {
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(super) fn start_thread() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("sidecar-names")
            .build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let body = move || {
            let _ = runtime.block_on(ended);
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("sidecar-handler".to_owned()).spawn(body)?;
        Ok(Self { handle, end: Some(end), thread: Some(thread) })
    }

    /// Starts the work; the receiver resolves when it has ended, also by a panic.
    pub(super) fn start(&self, work: Work, worker: Worker) -> io::Result<oneshot::Receiver<()>> {
        let (done, receiver) = oneshot::channel();
        match work {
            Work::Task(task) => {
                self.detached(async move {
                    let _kept = (done, worker);
                    task.await;
                });
            }
            Work::Thread(body) => {
                let body = move || {
                    let _kept = (done, worker);
                    body();
                };
                thread::Builder::new().name("sidecar-handle".to_owned()).spawn(body)?;
            }
        }
        Ok(receiver)
    }

    /// Starts a task whose end nobody waits for here.
    pub(super) fn detached(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the handlers panicked");
        }
    }
}
