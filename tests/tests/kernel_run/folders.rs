//! Watched folders: programs that are known when the linker closes them, and what else may lie or appear there.

use std::io::BufRead;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::balance;

/// Nothing is looked at when it starts: what is seen was attached before.
fn config(globs: &[&str], scratch: &Scratch) -> String {
    let globs: Vec<String> =
        globs.iter().map(|glob| format!("'{}/{glob}'", scratch.path("").display())).collect();
    format!("sampling: {{enabled: false}}\ndiscovery: {{exec: false, files: [{}]}}\n", globs.join(", "))
}

fn wait_until_attached(agent: &Agent, path: &Path) -> Result<()> {
    agent.wait_for_log(&format!("attached to {} (specs: 5", path.display()))
}

/// A program that is linked, copied, moved or linked by name into a folder, also one that is made later, is known before
/// it starts for the first time.
pub(crate) fn appearing() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    std::fs::create_dir(scratch.path("bin"))?;
    let outside = Target::with(&scratch.path("outside"), &provider, &["-DMANY=2"])?;
    let config = config(&["bin/*.test", "target/**/deps/*"], &scratch);
    let agent = Agent::start(&scratch.config(&format!("{config}{}", outside.probes()))?)?;
    ensure!(agent.log().contains("nothing matches"), "{}", agent.log());

    let linked = Target::with(&scratch.path("bin/linked.test"), &provider, &["-DMANY=3"])?;
    wait_until_attached(&agent, linked.path())?;
    std::fs::create_dir_all(scratch.path("target/debug/deps"))?;
    let deep = Target::with(&scratch.path("target/debug/deps/deep"), &provider, &["-DMANY=4"])?;
    wait_until_attached(&agent, deep.path())?;
    std::fs::rename(outside.path(), scratch.path("bin/moved.test"))?;
    wait_until_attached(&agent, &scratch.path("bin/moved.test"))?;
    // A second name of a file makes no second attachment.
    std::fs::hard_link(deep.path(), scratch.path("bin/named.test"))?;
    let last = Target::with(&scratch.path("bin/last.test"), &provider, &["-DMANY=5"])?;
    wait_until_attached(&agent, last.path())?;

    for (name, number) in [
        ("bin/linked.test", 1),
        ("target/debug/deps/deep", 2),
        ("bin/moved.test", 3),
        ("bin/named.test", 4),
        ("bin/last.test", 5),
    ] {
        let status = Command::new(scratch.path(name)).arg(format!("hit {number}")).status()?;
        ensure!(status.success(), "{name}: {status}");
    }
    scratch.wait_for_events_of(&agent, &provider, 15)?;
    let metrics = agent.metrics()?;
    assert_eq!(balance(&metrics, &provider, "hit"), (15, 15));
    assert_eq!(metrics.count("sidecar_attached_images", &[]), 4);
    assert!(metrics.count("sidecar_watched_folders", &[]) >= 4, "{}", agent.log());
    assert_eq!(metrics.count("sidecar_unwatched_folders_total", &[]), 0);
    agent.finish()?;
    Ok(())
}

/// A mounted file system that never answers: whoever looks into it waits.
struct Hung {
    path: PathBuf,
    server: Child,
}

impl Hung {
    fn mount(path: &Path) -> Result<Self> {
        std::fs::create_dir(path)?;
        let script = format!(
            "exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung {} && \
             echo mounted && read wait",
            path.display()
        );
        let mut server =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = server.stdout.take().context("its output")?;
        let hung = Self { path: path.to_owned(), server };
        let mut line = String::new();
        std::io::BufReader::new(output).read_line(&mut line)?;
        ensure!(line == "mounted\n", "a FUSE file system can't be mounted");
        Ok(hung)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // Whoever waits in it goes on with an error when its server is gone.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Pipes, devices, sockets, links to them, and a server that does not answer: none of them holds up the agent.
pub(crate) fn what_waits() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    std::fs::create_dir(scratch.path("bin"))?;
    let bin = |name: &str| scratch.path(&format!("bin/{name}"));
    let hung = Hung::mount(&bin("hung"))?;
    let put = |stage: &str| -> Result<()> {
        nix::unistd::mkfifo(&bin(&format!("{stage}-fifo")), Mode::S_IRWXU)?;
        let device = |kind, major, minor| {
            mknod(&bin(&format!("{stage}-{kind:?}")), kind, Mode::S_IRWXU, makedev(major, minor))
        };
        // The terminal of whoever opens it, and a block device that nobody has.
        device(SFlag::S_IFCHR, 5, 0)?;
        device(SFlag::S_IFBLK, 240, 99)?;
        drop(std::os::unix::net::UnixListener::bind(bin(&format!("{stage}-socket")))?);
        symlink(bin(&format!("{stage}-fifo")), bin(&format!("{stage}-to-fifo")))?;
        symlink(bin("hung/program"), bin(&format!("{stage}-to-hung")))?;
        symlink(bin("hung"), bin(&format!("{stage}-is-hung")))?;
        symlink(bin(&format!("{stage}-loop")), bin(&format!("{stage}-loop")))?;
        Ok(())
    };
    put("before")?;
    let first = Target::with(&bin("first"), &provider, &[])?;
    let config = config(&["bin/**/*", "bin/hung/*"], &scratch);
    let agent = Agent::start(&scratch.config(&format!("{config}{}", first.probes()))?)?;
    agent.wait_for_log("hung is not looked into: it is not on this machine")?;
    put("after")?;
    let second = Target::with(&bin("second"), &provider, &["-DMANY=7"])?;
    wait_until_attached(&agent, second.path())?;
    first.run(&["hit 2"])?;
    second.run(&["hit 3"])?;
    scratch.wait_for_events_of(&agent, &provider, 5)?;
    assert!(agent.metrics()?.count("sidecar_unwatched_folders_total", &[]) >= 1);
    assert_eq!(agent.health()?["components"]["attachments"]["status"], "healthy", "{}", agent.log());
    agent.finish()?;
    drop(hung);
    Ok(())
}

/// A glob that matches a hundred thousand files is cut, which is said; the agent gets ready and works.
pub(crate) fn a_hundred_thousand_files() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    for folder in ["many", "bin"] {
        std::fs::create_dir(scratch.path(folder))?;
    }
    for i in 0..100_000 {
        // A file system has fewer links to a file than this needs files.
        let (name, of) =
            (scratch.path(&format!("many/{i}")), scratch.path(&format!("many/{}", i / 1000 * 1000)));
        if i % 1000 == 0 { std::fs::write(name, "no program")? } else { std::fs::hard_link(of, name)? }
    }
    let target = Target::with(&scratch.path("bin/target"), &provider, &[])?;
    let config = config(&["bin/*", "many/*"], &scratch);
    let agent = Agent::start(&scratch.config(&format!("{config}{}", target.probes()))?)?;
    agent.wait_for_log("more than 10000 files match")?;
    let lines = agent.log().matches("it has no marker that is known").count();
    assert!(lines <= 10, "{lines} lines");
    assert!(agent.rss()? < 60 << 20);
    target.run(&["hit 2"])?;
    scratch.wait_for_events_of(&agent, &provider, 2)?;
    agent.finish()?;
    Ok(())
}

/// What takes the place of a base folder, and a build that starts anew, are watched as the former was.
pub(crate) fn made_anew() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    std::fs::create_dir_all(scratch.path("target/deps"))?;
    let config = config(&["target/deps/*"], &scratch);
    let first = Target::with(&scratch.path("target/deps/first"), &provider, &[])?;
    let agent = Agent::start(&scratch.config(&format!("{config}{}", first.probes()))?)?;
    wait_until_attached(&agent, first.path())?;
    for round in 0..3 {
        std::fs::remove_dir_all(scratch.path("target"))?;
        std::fs::create_dir_all(scratch.path("target/deps"))?;
        let path = scratch.path(&format!("target/deps/round{round}"));
        let many = format!("-DMANY={}", round + 2);
        let target = Target::with(&path, &provider, &[&many])?;
        wait_until_attached(&agent, &path)?;
        target.run(&["hit 1"])?;
    }
    let hits = until("3 hits", || {
        let (hits, _) = balance(&agent.metrics()?, &provider, "hit");
        Ok((hits >= 3).then_some(hits))
    })?;
    assert_eq!(hits, 3);
    agent.finish()?;
    Ok(())
}
