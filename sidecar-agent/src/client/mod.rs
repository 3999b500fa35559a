//! The verbs that ask a running agent over its API: `sidecar health`, `status`, `tail` and
//! `probes list`.

mod connect;
mod probes;
mod show;
mod sse;
mod tail;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Map, Value};

use crate::cli::{AgentArgs, HealthArgs, ListArgs, StatusArgs, TailArgs};
use connect::Agent;

/// The exit status of a degraded agent, and of a stream that the agent ended.
const DEGRADED: u8 = 1;
/// The exit status of an agent that is unhealthy or can't be asked.
const UNHEALTHY: u8 = 2;

/// Why the agent can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no agent answers on {place}: {reason}. {advice}")]
    Unreachable {
        /// The socket or the address.
        place: String,
        /// What the system said.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// The answer did not come in time, or broke off.
    #[error("the agent on {place} did not answer: {reason}")]
    Broken {
        /// The socket or the address.
        place: String,
        /// What happened.
        reason: String,
    },
    /// The agent refuses.
    #[error("the agent on {place} says: {error} (status {status}). {hint}")]
    Refused {
        /// The socket or the address.
        place: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        error: String,
        /// What to do, as it says.
        hint: String,
    },
    /// The token can't be read.
    #[error("can't read the token in {}: {reason}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The output can't be written.
    #[error("can't write the output: {0}")]
    Output(#[source] std::io::Error),
    /// No runtime, or no signal handler.
    #[error("starting: {0}")]
    Start(#[source] std::io::Error),
}

/// `sidecar health`.
#[must_use]
pub fn health(args: &HealthArgs) -> ExitCode {
    run(async {
        let mut agent = Agent::new(&args.agent)?;
        let health = agent.health().await?;
        let text = if args.json { health.to_string() + "\n" } else { show::health(&health) };
        print(&text)?;
        Ok(exit(&health))
    })
}

/// `sidecar status`.
#[must_use]
pub fn status(args: &StatusArgs) -> ExitCode {
    run(async {
        let mut agent = Agent::new(&args.agent)?;
        let health = agent.health().await?;
        let mut all = Map::new();
        for part in ["stats", "sampling", "profile", "budget"] {
            let answer = agent.get(&format!("/api/v1/{part}")).await;
            let value = answer.unwrap_or_else(|error| {
                eprintln!("sidecar: {part}: {error}");
                Value::Null
            });
            all.insert(part.to_owned(), value);
        }
        let code = exit(&health);
        all.insert("health".to_owned(), health);
        let all = Value::Object(all);
        print(&if args.json { all.to_string() + "\n" } else { show::status(&all) })?;
        Ok(code)
    })
}

/// `sidecar tail`.
#[must_use]
pub fn tail(args: &TailArgs) -> ExitCode {
    run(tail::tail(args))
}

/// `sidecar probes list`.
#[must_use]
pub fn probes(args: &ListArgs) -> ExitCode {
    run(probes::list(args))
}

fn run(verb: impl Future<Output = Result<ExitCode, ClientError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(ClientError::Start).and_then(|runtime| runtime.block_on(verb));
    done.unwrap_or_else(|error| {
        eprintln!("sidecar: {}", show::plain(&error.to_string()));
        ExitCode::from(UNHEALTHY)
    })
}

/// Writes to standard output; whoever reads it no more has seen enough.
fn print(text: &str) -> Result<(), ClientError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(ClientError::Output(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn exit(health: &Value) -> ExitCode {
    match health["status"].as_str() {
        Some("healthy") => ExitCode::SUCCESS,
        Some("degraded") => ExitCode::from(DEGRADED),
        Some(_) | None => ExitCode::from(UNHEALTHY),
    }
}

#[cfg(test)]
mod tests;
