//! `sidecar probes list`: what a running agent probes, where, how often, and what it costs.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::connect::Agent;
use super::show::{float, line, number, word};
use super::{ClientError, print};
use crate::cli::ListArgs;

/// Asks for all of it. Without the probes there is no answer; what else can't be had is null.
pub(super) async fn list(args: &ListArgs) -> Result<ExitCode, ClientError> {
    let mut agent = Agent::new(&args.agent)?;
    let mut all = Map::new();
    let probes = agent.get("/api/v1/probes").await?;
    all.insert("probes".to_owned(), probes["probes"].clone());
    for part in ["images", "profile"] {
        let value = agent.get(&format!("/api/v1/{part}")).await.unwrap_or_else(|error| {
            eprintln!("sidecar: {part}: {error}");
            Value::Null
        });
        all.insert(part.to_owned(), value);
    }
    let all = Value::Object(all);
    print(&if args.json { all.to_string() + "\n" } else { text(&all) })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn text(all: &Value) -> String {
    let mut text = String::new();
    let probes = all["probes"].as_array().map_or(&[][..], Vec::as_slice);
    let width = probes.iter().map(|probe| named(probe).chars().count()).max().unwrap_or(0).max("probe".len());
    let counts = ["sites", "hits", "kept", "sampled_out", "lost", "disabled", "read_faults"];
    let heads = ["sites", "hits", "kept", "sampled out", "lost", "disabled", "faults"];
    line(
        &mut text,
        format_args!(
            "{:width$}  {} {:>12}",
            "probe",
            heads.map(|head| format!("{head:>12}")).join(" "),
            "cost ms"
        ),
    );
    for probe in probes {
        let counts = counts.map(|count| format!("{:>12}", number(&probe[count])));
        line(&mut text, format_args!("{:width$}  {} {:>12}", named(probe), counts.join(" "), cost(probe)));
    }
    durations(&mut text, probes);
    let images = all["images"]["images"].as_array().map_or(&[][..], Vec::as_slice);
    line(&mut text, format_args!("\nattached to {} files", images.len()));
    for image in images {
        let refused = match image["refused"].as_u64() {
            None | Some(0) => String::new(),
            Some(refused) => format!(", {refused} refused: {}", word(&image["reason"])),
        };
        line(
            &mut text,
            format_args!("  {}  {} sites{refused}", word(&image["path"]), number(&image["sites"])),
        );
    }
    if let Some(more @ 1..) = all["images"]["omitted"].as_u64() {
        line(&mut text, format_args!("  and {more} more"));
    }
    if let Some(current) = all["profile"].get("current").filter(|current| !current.is_null()) {
        let (programs, whole) = (float(&current["bpf_cpu_percent"]), float(&current["cpu_percent"]));
        line(
            &mut text,
            format_args!(
                "\ncost: {programs:.2} % of a core in the kernel's programs, {whole:.2} % with the agent"
            ),
        );
    }
    text
}

/// Milliseconds in the kernel program, if they are measured.
fn cost(probe: &Value) -> String {
    probe["cost_seconds"].as_f64().map_or_else(|| "?".to_owned(), |seconds| format!("{:.3}", seconds * 1e3))
}

fn named(probe: &Value) -> String {
    match probe["provider"].as_str() {
        None | Some("") => word(&probe["name"]),
        Some(_) => format!("{}:{}", word(&probe["provider"]), word(&probe["name"])),
    }
}

/// How long tests and calls took, where it is counted.
fn durations(text: &mut String, probes: &[Value]) {
    let timed = |probe: &&Value| probe["durations"]["count"].as_u64().is_some_and(|count| count > 0);
    for (i, probe) in probes.iter().filter(timed).enumerate() {
        if i == 0 {
            line(text, format_args!("\ndurations"));
        }
        let count = float(&probe["durations"]["count"]);
        let mean = float(&probe["durations"]["sum_seconds"]) / count;
        let untimed = match probe["untimed"].as_u64() {
            None | Some(0) => String::new(),
            Some(untimed) => format!(", {untimed} calls not timed"),
        };
        let name = named(probe);
        line(text, format_args!("  {name}  {count} of them, {:.1} us in the mean{untimed}", mean * 1e6));
    }
}
