//! No probe ever sits on a wrong offset: files that look the same and are not.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::balance;

const ALL: &str = "sampling: {enabled: false}\n";

/// Two programs with the same markers at different places, made equally long.
fn pair(scratch: &Scratch, provider: &str) -> Result<[Vec<u8>; 2]> {
    let one = Target::with(&scratch.path("one"), provider, &[])?;
    let two = Target::with(&scratch.path("two"), provider, &["-O2", "-DMANY=100"])?;
    let mut images = [std::fs::read(one.path())?, std::fs::read(two.path())?];
    let longest = images.iter().map(Vec::len).max().unwrap_or_default();
    for image in &mut images {
        image.resize(longest, 0);
    }
    Ok(images)
}

/// Writes a file in place and gives it the times that it had.
fn rewrite(path: &Path, image: &[u8], as_before: &Metadata) -> Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(image)?;
    set_times(&file, as_before)?;
    let now = file.metadata()?;
    ensure!((now.size(), now.modified()?) == (as_before.size(), as_before.modified()?));
    Ok(())
}

fn set_times(file: &File, as_before: &Metadata) -> Result<()> {
    let times = FileTimes::new().set_modified(as_before.modified()?).set_accessed(as_before.accessed()?);
    Ok(file.set_times(times)?)
}

fn write_program(path: &Path, image: &[u8]) -> Result<Metadata> {
    std::fs::write(path, image)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o755))?;
    Ok(path.metadata()?)
}

fn run(path: &Path, lines: &[&str]) -> Result<()> {
    let status = Command::new(path).args(lines).status()?;
    ensure!(status.success(), "{}: {status}", path.display());
    Ok(())
}

/// Runs a program until the agent has seen it: one that has ended before it was looked at goes unseen.
fn find(agent: &Agent, path: &Path) -> Result<()> {
    let wanted = format!("attached to {}", path.display());
    until(&wanted, || {
        run(path, &["sync"])?;
        Ok(agent.log().contains(&wanted).then_some(()))
    })
}

/// Hits of `hit` and of `many`, once there are so many.
fn wait_for(agent: &Agent, provider: &str, hit: u64, many: u64) -> Result<()> {
    let found = until(&format!("{hit} hits and {many} of many"), || {
        let metrics = agent.metrics()?;
        let found = (balance(&metrics, provider, "hit").0, balance(&metrics, provider, "many").0);
        Ok((found.0 >= hit && found.1 >= many).then_some(found))
    })?;
    assert_eq!(found, (hit, many), "{}", agent.log());
    assert_eq!(agent.metrics()?.count("sidecar_decode_errors_total", &[]), 0);
    Ok(())
}

/// Rewritten in place with the same length, its time of change set back: only the inode's own time tells.
pub(crate) fn same_size_and_time() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let [one, two] = pair(&scratch, &provider)?;
    let path = scratch.path("program");
    let before = write_program(&path, &one)?;
    let target = Target::with(&scratch.path("other"), &provider, &["-DMANY=3"])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    find(&agent, &path)?;
    run(&path, &["hit 2"])?;
    rewrite(&path, &two, &before)?;
    agent.wait_for_log("was written to; its former probes are off")?;
    run(&path, &["hit 3", "many"])?;
    wait_for(&agent, &provider, 5, 100)?;
    agent.finish()?;
    Ok(())
}

/// Replaced by a file of the same length and times.
pub(crate) fn replaced_alike() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let [one, two] = pair(&scratch, &provider)?;
    let (path, new) = (scratch.path("program"), scratch.path("new"));
    let before = write_program(&path, &one)?;
    let target = Target::with(&scratch.path("other"), &provider, &["-DMANY=3"])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    find(&agent, &path)?;
    write_program(&new, &two)?;
    set_times(&File::options().write(true).open(&new)?, &before)?;
    std::fs::rename(&new, &path)?;
    let attached = format!("attached to {} ", path.display());
    until("the new one is watched", || {
        run(&path, &["sync"])?;
        Ok((agent.log().matches(&attached).count() == 2).then_some(()))
    })?;
    run(&path, &["hit 3", "many"])?;
    wait_for(&agent, &provider, 3, 100)?;
    agent.finish()?;
    Ok(())
}

/// Makes files until one has this inode. None where that does not come to pass.
fn reuse(scratch: &Scratch, inode: u64, image: &[u8]) -> Result<Option<PathBuf>> {
    let mut others = Vec::new();
    let mut found = None;
    for i in 0..2_000 {
        let path = scratch.path(&format!("again{i}"));
        if File::create(&path)?.metadata()?.ino() == inode {
            write_program(&path, image)?;
            found = Some(scratch.path("again"));
            std::fs::rename(&path, scratch.path("again"))?;
            break;
        }
        others.push(path);
    }
    for other in others {
        std::fs::remove_file(other)?;
    }
    Ok(found)
}

/// Another file has the inode of one that is remembered for having no markers, its length and its times.
pub(crate) fn inode_of_a_plain_file() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let [one, _] = pair(&scratch, &provider)?;
    let mut plain = std::fs::read("/bin/true")?;
    plain.resize(plain.len().max(one.len()), 0);
    let mut one = one;
    one.resize(plain.len(), 0);
    let path = scratch.path("plain");
    let before = write_program(&path, &plain)?;
    let target = Target::with(&scratch.path("other"), &provider, &["-DMANY=3"])?;
    let files = format!("discovery: {{files: ['{}']}}\n", path.display());
    let agent = Agent::start(&scratch.config(&format!("{ALL}{files}{}", target.probes()))?)?;
    agent.wait_for_log("plain, but it has no marker that is known")?;
    std::fs::remove_file(&path)?;
    let Some(again) = reuse(&scratch, before.ino(), &one)? else {
        println!("no inode is used twice here");
        return Ok(());
    };
    set_times(&File::options().write(true).open(&again)?, &before)?;
    find(&agent, &again)?;
    run(&again, &["hit 4"])?;
    wait_for(&agent, &provider, 4, 0)?;
    agent.finish()?;
    Ok(())
}

/// While probes are on a file that was deleted, its inode is nobody else's; afterwards it may be, with other markers.
pub(crate) fn inode_of_a_watched_file() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let [one, two] = pair(&scratch, &provider)?;
    let path = scratch.path("program");
    let before = write_program(&path, &one)?;
    let target = Target::with(&scratch.path("other"), &provider, &["-DMANY=3"])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    find(&agent, &path)?;
    std::fs::remove_file(&path)?;
    assert_eq!(reuse(&scratch, before.ino(), &two)?, None, "the probes hold the inode");
    agent.wait_for_log(&format!("let go of {}", path.display()))?;
    let again = until("the inode is used again", || match reuse(&scratch, before.ino(), &two)? {
        Some(again) => Ok(Some(Some(again))),
        None if on_tmpfs(&scratch)? => Ok(Some(None)),
        None => Ok(None),
    })?;
    let Some(again) = again else {
        println!("no inode is used twice here");
        return Ok(());
    };
    set_times(&File::options().write(true).open(&again)?, &before)?;
    find(&agent, &again)?;
    run(&again, &["hit 5", "many"])?;
    wait_for(&agent, &provider, 5, 100)?;
    agent.finish()?;
    Ok(())
}

fn on_tmpfs(scratch: &Scratch) -> Result<bool> {
    let found = nix::sys::statfs::statfs(scratch.path("").as_path())?;
    Ok(found.filesystem_type() == nix::sys::statfs::TMPFS_MAGIC)
}

/// A file is rewritten again and again just while the agent looks at it, which it does each time that it is closed.
pub(crate) fn rewritten_while_looked_at() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let images = pair(&scratch, &provider)?;
    std::fs::create_dir(scratch.path("bin"))?;
    let path = scratch.path("bin/program");
    let before = write_program(&path, &images[0])?;
    let target = Target::with(&scratch.path("other"), &provider, &["-DMANY=3"])?;
    let files = format!("discovery: {{exec: false, files: ['{}/*']}}\n", scratch.path("bin").display());
    let agent = Agent::start(&scratch.config(&format!("{ALL}{files}{}", target.probes()))?)?;
    for round in 0..400 {
        rewrite(&path, &images[round % 2], &before)?;
    }
    rewrite(&path, &images[1], &before)?;
    // What is looked at after this one was looked at after the last change.
    let last = Target::with(&scratch.path("bin/last"), &provider, &["-DMANY=4"])?;
    agent.wait_for_log(&format!("attached to {}", last.path().display()))?;
    run(&path, &["hit 6", "many"])?;
    wait_for(&agent, &provider, 6, 100)?;
    agent.finish()?;
    Ok(())
}
