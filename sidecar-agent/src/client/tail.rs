//! `sidecar tail`: events as they come.

use std::io::{self, Write};
use std::process::ExitCode;

use super::connect::Agent;
use super::sse::{Parser, Said};
use super::{ClientError, DEGRADED, show};
use crate::cli::TailArgs;

/// Shows events until it is told to end, the reader of its output goes away, or the agent ends the stream.
pub(super) async fn tail(args: &TailArgs) -> Result<ExitCode, ClientError> {
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    let mut agent = Agent::new(&args.agent)?;
    let path = path(args);
    let mut answer = tokio::select! {
        answer = agent.stream(&path) => answer?,
        told = &mut interrupt => return told.map(|()| ExitCode::SUCCESS).map_err(ClientError::Start),
    };
    let mut parser = Parser::default();
    let mut left = args.count;
    loop {
        let piece = tokio::select! {
            piece = answer.piece() => piece,
            told = &mut interrupt => return told.map(|()| ExitCode::SUCCESS).map_err(ClientError::Start),
        };
        let said = match piece {
            Some(Ok(piece)) => parser.take(&piece),
            Some(Err(_)) | None => {
                eprintln!("sidecar: the agent ended the stream");
                return Ok(ExitCode::from(DEGRADED));
            }
        };
        let said =
            said.map_err(|error| ClientError::Broken { place: path.clone(), reason: error.to_string() })?;
        match write(&said, args.json, &mut left) {
            Ok(true) => {}
            Ok(false) => return Ok(ExitCode::SUCCESS),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(ClientError::Output(error)),
        }
    }
}

/// Writes what came; false once there were enough events.
fn write(said: &[Said], json: bool, left: &mut Option<u64>) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    for said in said {
        match said {
            Said::Lost(lost) => {
                out.flush()?;
                eprintln!(
                    "sidecar: {lost} events were lost here, because they came faster than they were read"
                );
            }
            Said::Event(line) => {
                let shown = if json { line.clone() } else { show::event(line) };
                writeln!(out, "{shown}")?;
                if let Some(left) = left {
                    *left -= 1;
                    if *left == 0 {
                        out.flush()?;
                        return Ok(false);
                    }
                }
            }
        }
    }
    out.flush()?;
    Ok(true)
}

/// The path with the conditions as its query.
pub(super) fn path(args: &TailArgs) -> String {
    let conditions = [
        ("event_type", &args.event_type),
        ("status", &args.status),
        ("signal", &args.signal),
        ("provider", &args.provider),
        ("test_id", &args.test_id),
    ];
    let mut path = "/api/v1/events".to_owned();
    for (name, values) in conditions {
        for value in values {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(name);
            path.push('=');
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b',' | b'*') {
                    path.push(byte.into());
                } else {
                    path.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    path
}
