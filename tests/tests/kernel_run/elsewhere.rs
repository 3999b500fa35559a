//! Programs that see another tree of files than the agent: chroots, containers, overlays, and what they may mount.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

const ALL: &str = "sampling: {enabled: false}\n";

fn hits(agent: &Agent, provider: &str, at_least: u64) -> Result<u64> {
    until(&format!("{at_least} hits"), || {
        let (hits, _) = balance(&agent.metrics()?, provider, "hit");
        Ok((hits >= at_least).then_some(hits))
    })
}

/// Runs a shell script in a mount namespace of its own; it ends by executing the program.
fn isolated(script: &str) -> Result<Running> {
    Running::start(Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-c", script]))
}

/// A container as runtimes make one: its root is a file system of its own that was pivoted to.
pub(crate) fn pivoted() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let target = Target::with(&scratch.path("made"), &provider, &["-static"])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    let root = scratch.path("root");
    std::fs::create_dir(&root)?;
    let script = format!(
        "mount -t tmpfs none {root} && mkdir {root}/old {root}/app && cp {made} {root}/app/inside && \
         cd {root} && pivot_root . old && exec /app/inside",
        root = root.display(),
        made = target.path().display()
    );
    let mut running = isolated(&script)?;
    agent.wait_for_log("attached to /app/inside")?;
    running.run(&["hit 5"])?;
    assert_eq!(hits(&agent, &provider, 5)?, 5);
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// A stripped program in such a root, whose symbols are in a debug file that only the root has.
pub(crate) fn debug_file_inside() -> Result<()> {
    let scratch = Scratch::new()?;
    let (source, whole) = (scratch.path("main.c"), scratch.path("whole"));
    std::fs::write(
        &source,
        "#include <stdio.h>\n__attribute__((noipa)) int wanted(int n) { return n + 1; }\n\
         int main(void) { char line[80]; int n = 0; puts(\"ready\"); fflush(stdout);\n\
         while (fgets(line, sizeof line, stdin)) { n = wanted(n); puts(\"ok\"); fflush(stdout); } return n > 99; }\n",
    )?;
    let (debug, inside) = (scratch.path("inside.debug"), scratch.path("stripped"));
    let run = |program: &str, args: &[&std::ffi::OsStr]| -> Result<()> {
        let status = Command::new(program).args(args).status()?;
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    };
    let path = |path: &PathBuf| path.clone().into_os_string();
    run("cc", &["-static".as_ref(), "-O1".as_ref(), "-o".as_ref(), &path(&whole), &path(&source)])?;
    run("objcopy", &["--only-keep-debug".as_ref(), &path(&whole), &path(&debug)])?;
    let link = format!("--add-gnu-debuglink={}", debug.display());
    run("objcopy", &["--strip-all".as_ref(), link.as_ref(), &path(&whole), &path(&inside)])?;
    let provider = provider();
    let lines = format!("{ALL}functions: [{{file: '/app/inside', provider: {provider}, symbol: wanted}}]\n");
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let root = scratch.path("root");
    std::fs::create_dir(&root)?;
    let script = format!(
        "mount -t tmpfs none {root} && mkdir -p {root}/old {root}/app {root}/usr/lib/debug/app && \
         cp {stripped} {root}/app/inside && cp {debug} {root}/usr/lib/debug/app && \
         cd {root} && pivot_root . old && exec /app/inside",
        root = root.display(),
        stripped = inside.display(),
        debug = debug.display()
    );
    let mut running = isolated(&script)?;
    agent.wait_for_log("attached to /app/inside")?;
    for _ in 0..5 {
        assert_eq!(running.ask("go on")?, "ok");
    }
    until("five calls", || {
        let (hits, _) = balance(&agent.metrics()?, &provider, "wanted");
        Ok((hits == 5).then_some(()))
    })?;
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// A process that has mounted something over its /proc, or over its own program, is seen through the agent's /proc.
pub(crate) fn covered() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    let target = Target::with(&scratch.path("program"), &provider, &[])?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    let path = target.path().display();
    let scripts = [
        format!("mount -t tmpfs none /proc && exec {path}"),
        format!("mount --bind /etc/passwd /proc/self/exe; exec {path}"),
        format!("exec 5<{path} && mount --bind /bin/true {path} && exec /proc/self/fd/5"),
    ];
    for (script, number) in scripts.iter().zip(1..) {
        let mut running = isolated(script)?;
        let asked = || Ok((running.ask("semaphores")? == "1 1 1").then_some(()));
        until(&format!("it is watched: {script}"), asked)?;
        running.run(&[format!("hit {number}")])?;
        running.finish()?;
    }
    assert_eq!(hits(&agent, &provider, 6)?, 6);
    agent.finish()?;
    Ok(())
}

/// A library that only a container has: the host has another one by that name and path.
pub(crate) fn library_inside() -> Result<()> {
    let scratch = Scratch::new()?;
    let (provider, others) = (provider(), provider());
    let flags = ["-shared", "-fPIC", "-Dmain=target_main"];
    let (lib, inside) = (scratch.path("lib"), scratch.path("inside"));
    for folder in [&lib, &inside] {
        std::fs::create_dir(folder)?;
    }
    Target::with(&lib.join("libinside.so"), &others, &flags)?;
    let library = Target::with(&inside.join("libinside.so"), &provider, &flags)?;
    let (source, program) = (scratch.path("main.c"), scratch.path("program"));
    std::fs::write(
        &source,
        "int target_main(int, char **); int main(int c, char **v) { return target_main(c, v); }",
    )?;
    let status = Command::new("cc")
        .arg("-o")
        .args([&program, &source, &lib.join("libinside.so")])
        .arg(format!("-Wl,-rpath,{}", lib.display()))
        .status()?;
    ensure!(status.success(), "cc: {status}");
    let config = format!("{ALL}discovery: {{libraries: [libinside.so]}}\n{}", library.probes());
    let agent = Agent::start(&scratch.config(&config)?)?;
    let mut running = isolated(&format!(
        "mount --bind {} {} && exec {}",
        inside.display(),
        lib.display(),
        program.display()
    ))?;
    until(
        "the container's library is watched",
        || Ok((running.ask("semaphores")? == "1 1 1").then_some(())),
    )?;
    running.run(&["hit 5"])?;
    assert_eq!(hits(&agent, &provider, 5)?, 5);
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// One file of an image's layer, as its host has it and as overlays show it, also ones that number their inodes by layer:
/// one attachment, and each hit counts once.
pub(crate) fn one_file_below() -> Result<()> {
    for host_first in [true, false] {
        let scratch = Scratch::new()?;
        let provider = provider();
        for folder in ["lower", "layer"] {
            std::fs::create_dir(scratch.path(folder))?;
        }
        let target = Target::with(&scratch.path("lower/target"), &provider, &["-static"])?;
        let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
        let mut programs = Vec::new();
        if host_first {
            programs.push(target.start()?);
            agent.wait_for_log("attached to ")?;
        }
        for (name, layers, options) in
            [("a", "lower", ""), ("b", "layer:lower", ",xino=on"), ("c", "lower:layer", ",xino=on")]
        {
            programs.push(isolated(&overlay(&scratch, name, layers, options)?)?);
        }
        if !host_first {
            agent.wait_for_log("attached to ")?;
            programs.push(target.start()?);
        }
        let last = Target::with(&scratch.path("last"), &provider, &["-DMANY=3"])?;
        wait_until_found(&agent, &last)?;
        for running in &mut programs {
            assert_eq!(running.ask("semaphores")?, "1 1 1", "{}", agent.log());
            running.run(&["hit 10"])?;
        }
        assert_eq!(hits(&agent, &provider, 40)?, 40, "{}", agent.log());
        assert_eq!(agent.log().matches("/target (specs: 5").count(), 1, "{}", agent.log());
        for running in programs {
            running.finish()?;
        }
        agent.finish()?;
    }
    Ok(())
}

/// A script that mounts an overlay and executes the program in it.
fn overlay(scratch: &Scratch, name: &str, layers: &str, options: &str) -> Result<String> {
    let path = |part: &str| -> PathBuf { scratch.path(&format!("{name}/{part}")) };
    for part in ["", "up", "work", "top"] {
        std::fs::create_dir_all(path(part))?;
    }
    let layers: Vec<String> =
        layers.split(':').map(|layer| scratch.path(layer).display().to_string()).collect();
    Ok(format!(
        "mount -t overlay overlay -o lowerdir={},upperdir={},workdir={}{options} {top} && exec {top}/target",
        layers.join(":"),
        path("up").display(),
        path("work").display(),
        top = path("top").display()
    ))
}
