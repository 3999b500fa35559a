//! The agent's life from the verb's side: signals, and the runtime between them.

use std::io;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::RunError;
use crate::{
    config::Config,
    runtime::{Node, RuntimeError, Start},
};

/// Runs the agent until it is told to end.
pub(super) async fn live(config: &Config, start: Start) -> Result<(), RunError> {
    // Heard from now on: whatever is going on, they end the agent in good order.
    let mut told = Told::new().map_err(RuntimeError::System)?;
    let mut node = Node::open(config, &start)?;
    node.observe(config, &start)?;
    let mut looked = node.take_looked();
    loop {
        tokio::select! {
            _ = told.terminate.recv() => {
                tracing::info!("SIGTERM: stopping");
                break;
            }
            _ = told.interrupt.recv() => {
                tracing::info!("SIGINT: stopping");
                break;
            }
            _ = told.reload.recv() => node.reload(),
            () = looks(&mut looked) => node.looked(),
        }
    }
    node.stop().await;
    Ok(())
}

/// The signals that the agent obeys.
struct Told {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Told {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}

/// Waits until what is there was looked at; once.
async fn looks(looked: &mut Option<oneshot::Receiver<()>>) {
    match looked {
        // An error means that the thread has ended; then there is nothing more to wait for.
        Some(receiver) => {
            let _ = receiver.await;
            *looked = None;
        }
        None => std::future::pending().await,
    }
}
