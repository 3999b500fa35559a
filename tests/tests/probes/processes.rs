//! Processes: one's own, one in a root of its own, somebody else's, and one that has ended.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;

use crate::ask::{probes, unprivileged};

fn paths(found: &Value) -> Vec<&str> {
    found["files"].as_array().into_iter().flatten().filter_map(|file| file["path"].as_str()).collect()
}

pub(crate) fn own() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let mut running = target.start()?;
    assert_eq!(running.ask("sync")?, "ok");
    let pid = running.pid().to_string();
    let found = probes(&["inspect", &pid, "--functions", "malloc", "--json"])?.json()?;
    assert_eq!(found["process"], running.pid());
    assert_eq!(paths(&found)[0], target.path().display().to_string());
    assert_eq!(found["files"][0]["markers"].as_array().map(Vec::len), Some(5));
    let files = found["files"].as_array().context("files")?;
    let with_malloc =
        |file: &&Value| file["functions"][0]["found"].as_array().is_some_and(|found| !found.is_empty());
    let library = files.iter().find(with_malloc).context("a library with malloc")?;
    assert!(library["path"].as_str().is_some_and(|path| path.contains("libc")), "{library}");
    let text = probes(&["inspect", &pid])?;
    assert!(text.code == Some(0) && text.out.starts_with(&format!("process {pid}: ")), "{text:?}");
    running.finish()
}

pub(crate) fn hidden() -> Result<()> {
    let scratch = Scratch::new()?;
    let (root, made) = (scratch.path("root"), scratch.path("made"));
    std::fs::create_dir(&root)?;
    let _target = Target::with(&made, &provider(), &["-static"])?;
    let (root, made) = (root.display(), made.display());
    let script =
        format!("mount -t tmpfs none {root} && mv {made} {root}/hidden && exec chroot {root} /hidden");
    let mut running = Running::start(Command::new("unshare").args(["-m", "sh", "-c", &script]))?;
    assert_eq!(running.ask("sync")?, "ok");
    let pid = running.pid().to_string();
    let found = probes(&["inspect", &pid, "--functions", "main", "--json"])?.json()?;
    // The path is told from the root of its mount namespace, where nothing is at it for anybody else.
    assert_eq!(paths(&found), [format!("{root}/hidden")]);
    assert!(!std::path::Path::new(paths(&found)[0]).exists());
    assert_eq!(found["files"][0]["markers"].as_array().map(Vec::len), Some(5));
    assert_eq!(found["files"][0]["functions"][0]["found"][0]["name"], "main");
    running.finish()
}

pub(crate) fn not_root() -> Result<()> {
    let own = std::process::id().to_string();
    unprivileged(&["inspect", &own])?.refuses("only root sees the files: use sudo");
    Ok(())
}

pub(crate) fn ended() -> Result<()> {
    let mut child = Command::new("true").spawn()?;
    child.wait()?;
    probes(&["inspect", &child.id().to_string()])?.refuses(&format!("there is no process {}", child.id()));
    Ok(())
}

pub(crate) fn no_agent() -> Result<()> {
    let scratch = Scratch::new()?;
    let socket = scratch.path("none.sock").display().to_string();
    let said = probes(&["list", "--socket", &socket])?;
    assert_eq!((said.code, said.out.as_str(), said.err.lines().count()), (Some(2), "", 1), "{said:?}");
    assert!(said.err.contains("no agent answers on"), "{said:?}");
    Ok(())
}
