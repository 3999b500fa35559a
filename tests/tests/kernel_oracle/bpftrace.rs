//! bpftrace: started with a script, waited for until it says that its probes are on, and asked for its counts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Where Debian's package has it.
pub(crate) const PROGRAM: &str = "/usr/bin/bpftrace";

/// What it says first. It reads what its programs print only once all of them are attached.
const READY: &str = "all probes are on";

/// A running bpftrace that counts.
pub(crate) struct Bpftrace {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The map of each probe.
    maps: Vec<String>,
}

impl Bpftrace {
    /// Counts the hits of probes, each as bpftrace names it.
    pub(crate) fn start(probes: &[String]) -> Result<Self> {
        let maps: Vec<String> = (0..probes.len()).map(|index| format!("@count{index}")).collect();
        let mut script = format!("BEGIN {{ printf(\"{READY}\"); }}\n");
        for (probe, map) in probes.iter().zip(&maps) {
            script.push_str(&format!("{probe} {{ {map} = count(); }}\n"));
        }
        let mut command = Command::new(PROGRAM);
        // It is no matter of the test what it says when it lets go.
        command.args(["-f", "json", "-e", &script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context(PROGRAM)?;
        let output = BufReader::new(child.stdout.take().context("its standard output")?);
        let mut started = Self { child, output, maps };
        loop {
            let mut line = String::new();
            if started.output.read_line(&mut line)? == 0 {
                let mut said = String::new();
                started.child.stderr.take().context("its standard error")?.read_to_string(&mut said)?;
                anyhow::bail!("bpftrace ended before its probes were on: {said}");
            }
            if line.contains(READY) {
                return Ok(started);
            }
        }
    }

    /// Ends it. Gives what it counted, in the order of the probes.
    pub(crate) fn finish(mut self) -> Result<Vec<u64>> {
        kill(Pid::from_raw(self.child.id().try_into()?), Signal::SIGINT)?;
        let mut counted = BTreeMap::new();
        for line in self.output.by_ref().lines() {
            let Ok(line) = serde_json::from_str::<Value>(&line?) else { continue };
            let maps = line["data"].as_object().filter(|_| line["type"] == "map");
            for (name, value) in maps.into_iter().flatten() {
                counted.insert(name.clone(), value.as_u64().context("a count")?);
            }
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "bpftrace ended with {status}");
        // A map that nothing was put into is not told.
        Ok(self.maps.iter().map(|map| counted.get(map).copied().unwrap_or(0)).collect())
    }
}

impl Drop for Bpftrace {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; of one that went well it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
