//! What the API answers. The calls to the agent run where they may block.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::State;
use super::endpoints::{Change, Reading};
use super::limits::Limits;
use super::reply::{Content, EVENT_STREAM, JSON, Reply, echo, problem, problem_with};
use super::turn::TurnError;
use crate::control::{Control, Refused, ReloadRefused};
use crate::stream::Filter;

/// The committed document, which the tests hold against the server.
pub(super) const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// Window of `/api/v1/profile` unless one is asked for.
const WINDOW: Duration = Duration::from_secs(60);
/// Longest window, in seconds: an hour.
const LONGEST_WINDOW: f64 = 3600.0;
/// Longest boost, in seconds: a day, as in the configuration.
const LONGEST_BOOST: f64 = 86_400.0;
/// Highest boost factor, as in the configuration.
const HIGHEST_FACTOR: f64 = 1000.0;
/// Longest kind of an anomaly, in bytes.
const LONGEST_KIND: usize = 64;

/// Names and values of a query, decoded.
pub(super) type Query = Vec<(String, String)>;

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SetRate {
    /// The rate, 0 to 1.
    rate: f64,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Boost {
    /// By how much the rate is multiplied: above 1, at most 1,000.
    factor: f64,
    /// For how long, in seconds: above 0, at most 86,400.
    duration_sec: f64,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ReportAnomaly {
    /// The signal.
    signal: String,
    /// The kind of anomaly: 1 to 64 of A-Z, a-z, 0-9, `_`, `-` and `.`.
    kind: String,
}

pub(super) fn openapi() -> Reply {
    Reply::text(200, JSON, OPENAPI)
}

/// A reading call.
pub(super) async fn read(state: &State, reading: Reading, query: &Query, limits: Limits) -> Reply {
    let window = match query.as_slice() {
        [] => WINDOW,
        [(key, value)] if key == "window" && reading == Reading::Profile => match value.parse::<f64>() {
            Ok(seconds) if (1.0..=LONGEST_WINDOW).contains(&seconds) => Duration::from_secs_f64(seconds),
            _ => return problem(400, "`window` is no number of seconds from 1 to 3600", "as in ?window=60"),
        },
        [(key, _), ..] => {
            let hint = match reading {
                Reading::Profile => "there is ?window=SECONDS, once",
                Reading::Stats
                | Reading::Sampling
                | Reading::Budget
                | Reading::Probes
                | Reading::Images
                | Reading::Tests
                | Reading::Config => "this path takes no query",
            };
            return problem(400, &format!("`{}` is not for this path", echo(key)), hint);
        }
    };
    let Some(control) = state.control.get().cloned() else { return no_control() };
    let call = move || match reading {
        Reading::Stats => Reply::json(200, &control.stats()),
        Reading::Sampling => Reply::json(200, &control.sampling()),
        Reading::Profile => Reply::json(200, &control.profile(window)),
        Reading::Budget => Reply::json(200, &control.budget()),
        Reading::Probes => Reply::json(200, &control.probes()),
        Reading::Images => Reply::json(200, &control.images()),
        Reading::Tests => Reply::json(200, &control.tests()),
        Reading::Config => Reply::json(200, &control.config()),
    };
    match state.reading.call(limits.read_timeout, call).await {
        Ok(reply) => reply,
        Err(error) => stuck(&error, "/livez and /health answer all the while"),
    }
}

/// The stream of events.
pub(super) fn events(state: &State, query: &Query) -> Reply {
    let pairs = query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let filter = match Filter::of(pairs) {
        Ok(filter) => filter,
        Err(error) => return problem(400, &error.to_string(), &error.hint()),
    };
    match state.events.subscribe(filter) {
        Ok(subscriber) => Reply {
            status: 200,
            content_type: EVENT_STREAM,
            headers: Vec::new(),
            content: Content::Events(subscriber),
        },
        Err(error) => {
            problem(429, &error.to_string(), "end one of them, or ask again later").header("retry-after", "5")
        }
    }
}

/// A writing call. `signal` is the name in the path, if it has one.
pub(super) async fn change(
    state: &State,
    change: Change,
    signal: &str,
    body: &[u8],
    limits: Limits,
) -> Reply {
    let Some(control) = state.control.get().cloned() else { return no_control() };
    let call = match prepare(change, signal.to_owned(), body, control) {
        Ok(call) => call,
        Err(reply) => return reply,
    };
    match state.changing.call(limits.change_timeout, call).await {
        Ok(reply) => reply,
        Err(error) => stuck(&error, "it may still be carried out; look before you ask again"),
    }
}

type Call = Box<dyn FnOnce() -> Reply + Send>;

fn prepare(change: Change, signal: String, body: &[u8], control: Arc<dyn Control>) -> Result<Call, Reply> {
    Ok(match change {
        Change::Reload => Box::new(move || reload(control.as_ref())),
        Change::SetRate => {
            let SetRate { rate } = parse(body)?;
            within("rate", rate, (0.0..=1.0).contains(&rate), "0 to 1")?;
            Box::new(move || answer(control.set_rate(&signal, rate)))
        }
        Change::Boost => {
            let Boost { factor, duration_sec } = parse(body)?;
            within("factor", factor, factor > 1.0 && factor <= HIGHEST_FACTOR, "above 1, at most 1000")?;
            let duration = Some(duration_sec)
                .filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST_BOOST)
                .map(Duration::from_secs_f64);
            let fits = duration.is_some_and(|duration| !duration.is_zero());
            within("duration_sec", duration_sec, fits, "above 0, at most 86400")?;
            Box::new(move || answer(control.boost(&signal, factor, duration.unwrap_or_default())))
        }
        Change::ClearBoost => Box::new(move || answer(control.clear_boost(&signal))),
        Change::Anomaly => {
            let ReportAnomaly { signal, kind } = parse(body)?;
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if kind.is_empty() || kind.len() > LONGEST_KIND || !kind.chars().all(good) {
                let hint = "1 to 64 of A-Z, a-z, 0-9, `_`, `-` and `.`";
                return Err(problem(422, "`kind` is no name of a kind", hint));
            }
            Box::new(move || answer(control.report_anomaly(&signal, &kind)))
        }
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|error| {
        let (status, hint) = match error.classify() {
            serde_json::error::Category::Data => (422, "GET /api/v1/openapi.json describes the body"),
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => (400, "the body has to be one JSON object"),
        };
        problem(status, &format!("the body: {}", echo(&error.to_string())), hint)
    })
}

fn within(name: &str, value: f64, fits: bool, range: &str) -> Result<(), Reply> {
    let wrong = || problem(422, &format!("`{name}` can't be {value}"), &format!("it has to be {range}"));
    fits.then_some(()).ok_or_else(wrong)
}

fn answer(result: Result<impl serde::Serialize, Refused>) -> Reply {
    let refused = match result {
        Ok(done) => return Reply::json(200, &done),
        Err(refused) => refused,
    };
    let error = echo(&refused.to_string());
    match refused {
        Refused::UnknownSignal { nearest: Some(nearest), .. } => {
            problem(404, &error, &format!("did you mean `{nearest}`? GET /api/v1/sampling lists the signals"))
        }
        Refused::UnknownSignal { nearest: None, .. } => {
            problem(404, &error, "GET /api/v1/sampling lists the signals")
        }
        Refused::Value { hint, .. } => problem(422, &error, &hint),
        Refused::Exhausted { retry_after, .. } => {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            problem(429, &error, &format!("ask again in {seconds} s"))
                .header("retry-after", seconds.to_string())
        }
        Refused::Unavailable { .. } => problem(503, &error, "GET /health says what does not work"),
    }
}

fn reload(control: &dyn Control) -> Reply {
    let refused = match control.reload() {
        Ok(report) => return Reply::json(200, &report),
        Err(refused) => refused,
    };
    let error = refused.to_string();
    let ReloadRefused { reason: _, place, needs_restart } = refused;
    let hint = if needs_restart.is_empty() {
        "correct it and reload again; `sidecar check` tells the same".to_owned()
    } else {
        format!("put back or restart the agent for: {}", needs_restart.join(", "))
    };
    let mut more = match json!(place) {
        Value::Object(parts) => parts,
        _ => Map::new(),
    };
    if !needs_restart.is_empty() {
        more.insert("needs_restart".to_owned(), json!(needs_restart));
    }
    problem_with(422, &error, &hint, more)
}

fn stuck(error: &TurnError, hint: &str) -> Reply {
    problem(503, &error.to_string(), hint).header("retry-after", "1")
}

fn no_control() -> Reply {
    problem(503, "the agent has not started yet", "ask again; /readyz says how far it is")
        .header("retry-after", "1")
}
