//! A program that is watched: uses the guards and macros of sidecar-markers as its argument says, each in a way that they
//! have to survive.

use std::cell::RefCell;
use std::panic::catch_unwind;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use sidecar_markers::{TestGuard, anomaly, event, test};

fn main() -> Result<()> {
    // What panics here is meant to.
    std::panic::set_hook(Box::new(|_| {}));
    match std::env::args().nth(1).context("what to do is missing")?.as_str() {
        "unwinding" => unwinding(),
        "nested" => nested(),
        "forgotten" => forgotten(),
        "thread_exit" => thread_exit(),
        "forked" => forked()?,
        other => bail!("`{other}` is nothing that it does"),
    }
    Ok(())
}

/// Fires while its thread unwinds.
struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        event!("late", data = "while unwinding");
        anomaly!("events", "unwinding");
    }
}

/// A panic ends one test, and markers fire on its way.
fn unwinding() {
    let ended = catch_unwind(|| {
        let _test = test!(id = "unwinding");
        let _late = Late;
        panic!("on its way");
    });
    event!("after", data = if ended.is_err() { "panicked" } else { "returned" });
}

/// A test inside a test; the panic of the inner one is caught by the outer one, which passes.
fn nested() {
    let outer = test!(id = "outer");
    let inner = catch_unwind(|| test!(id = "inner").run::<()>(|_| panic!("inner alone")));
    event!("between", test = &outer, data = if inner.is_err() { "panicked" } else { "returned" });
}

/// A guard whose end nobody sees.
fn forgotten() {
    std::mem::forget(test!(id = "forgotten"));
    drop(test!(id = "next"));
}

/// A guard that lives as long as its thread.
fn thread_exit() {
    thread_local! {
        static GUARD: RefCell<Option<TestGuard>> = const { RefCell::new(None) };
    }
    let ended = std::thread::spawn(|| GUARD.set(Some(test!(id = "thread_exit")))).join();
    event!("joined", data = if ended.is_err() { "panicked" } else { "returned" });
}

/// Parent and child each end the test that was begun before they parted.
fn forked() -> Result<()> {
    let guard = test!(id = "forked");
    // SAFETY: this process has one thread, so the child may do whatever it likes.
    match unsafe { fork() }? {
        ForkResult::Child => {
            guard.fail("in the child");
            event!("child");
            std::process::exit(5);
        }
        ForkResult::Parent { child } => {
            let ended = waitpid(child, None)?;
            ensure!(ended == WaitStatus::Exited(child, 5), "{ended:?}");
        }
    }
    Ok(())
}
