//! Handlers do what they are for, and one that is stuck, slow clients and hasty scrapers cost nobody an event.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};

use crate::basics::wait_until_found;

const ALL: &str = "resources: {max_cpu_percent: 100}\nsampling: {enabled: false}\nshutdown: {grace_sec: 1}\n";

/// A server on this machine that answers each request with 200 and remembers it.
fn server() -> Result<(u16, Arc<Mutex<String>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let seen = Arc::new(Mutex::new(String::new()));
    let copy = Arc::clone(&seen);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let copy = Arc::clone(&copy);
            thread::spawn(move || {
                let mut block = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut block) {
                    let text = String::from_utf8_lossy(&block[..count]);
                    copy.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                    // The body is one JSON object, the last of which ends the request.
                    if text.trim_end().ends_with('}')
                        && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    Ok((port, seen))
}

pub(crate) fn each_kind() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (port, posted) = server()?;
    let (by_command, by_file) = (scratch.path("command.out"), scratch.path("handler.jsonl"));
    let (only, end) = ("when: {status: [failed]}", format!("{}_end", target.provider()));
    let handlers = format!(
        "handlers:
  - {{name: run, type: command, events: [{end}], {only}, command: [/bin/sh, -c, 'cat >> {}']}}
  - {{name: file, type: jsonl, events: [{end}], {only}, path: {}}}
  - {{name: post, type: http, events: [{end}], {only}, url: 'http://127.0.0.1:{port}/hook'}}
",
        by_command.display(),
        by_file.display()
    );
    let config = scratch.config(&format!("{}{ALL}{handlers}{}", section(&scratch), target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 3 0", "tests 3 1 1", "tests 4 3 0"])?;
    until("each handler has had the failure, and it alone", || {
        for path in [&by_command, &by_file] {
            let found = events(path)?;
            ensure!(found.len() == 1 && found[0]["test_id"] == "test::3", "{}: {found:?}", path.display());
        }
        let posted = posted.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(posted.contains("POST /hook") && posted.contains("test::3"), "{posted}");
        assert!(!posted.contains("test::4"), "{posted}");
        Ok(Some(()))
    })
    .map_err(|error| error.context(agent.log()))?;
    agent.finish()?;
    Ok(())
}

pub(crate) fn stuck() -> Result<()> {
    const HITS: u64 = 30_000;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let handlers = "handlers: [{name: stuck, type: command, queue_size: 10, timeout_sec: 600, \
                    command: [/bin/sleep, '600']}]\n";
    let config = scratch.config(&format!("{}{ALL}{handlers}{}", section(&scratch), target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    // Clients that begin a request and never end it.
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(("127.0.0.1", agent.port()))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ")?;
        slow.push(stream);
    }
    let mut running = target.start()?;
    let mut longest = Duration::ZERO;
    for _ in 0..HITS / 1000 {
        running.run(&["hit 1000"])?;
        agent.metrics()?;
        let begun = Instant::now();
        agent.health()?;
        longest = longest.max(begun.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    running.finish()?;
    println!("the slowest /health took {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    let found = scratch.wait_for_events_of(&agent, target.provider(), usize::try_from(HITS)?)?;
    assert!(found.iter().all(|event| event["sample_rate"] == 1.0));
    let balance = until("the totals balance", || control.settled().map(Some))?;
    assert_eq!(balance["lost"], 0, "{balance}");
    let metrics = agent.metrics()?;
    println!("{}", metrics.0.lines().filter(|line| line.contains("stuck")).collect::<Vec<_>>().join("\n"));
    drop(slow);
    agent.finish()?;
    Ok(())
}
