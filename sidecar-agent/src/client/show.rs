//! Answers as text for people. What a test said is made safe for a terminal.

use std::fmt::Write;

use serde_json::Value;

use crate::aggregate::about;
pub(super) use crate::aggregate::safe as plain;

/// The state of each part.
pub(super) fn health(health: &Value) -> String {
    let mut text = format!("{}, up {}\n", word(&health["status"]), seconds(&health["uptime_seconds"]));
    let components = health["components"].as_object();
    let width = components.into_iter().flatten().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, component) in components.into_iter().flatten() {
        let (status, message) = (word(&component["status"]), word(&component["message"]));
        line(&mut text, format_args!("  {:width$}  {status:<9}  {message}", plain(name)));
    }
    text
}

/// Everything that `sidecar status` asked for; what could not be had is left out.
pub(super) fn status(all: &Value) -> String {
    let mut text = health(&all["health"]);
    if let Some(balance) = all["stats"].get("balance") {
        let count = |name: &str| number(&balance[name]);
        line(
            &mut text,
            format_args!(
                "\nhits      {}: {} kept, {} sampled out, {} lost, {} disabled",
                count("hits"),
                count("kept"),
                count("sampled_out"),
                count("lost"),
                count("disabled")
            ),
        );
        let dropped: u64 =
            balance["dropped"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
        line(
            &mut text,
            format_args!(
                "events    {} received, {} processed, {} waiting, {dropped} dropped",
                count("received"),
                count("processed"),
                count("queued")
            ),
        );
    }
    event_types(&mut text, &all["stats"]["event_types"]);
    if let Some(current) = all["profile"].get("current").filter(|current| !current.is_null()) {
        let limits = &all["budget"]["limits"];
        line(
            &mut text,
            format_args!(
                "cost      {:.1} % of a core of {:.1}, {:.0} MB of {:.0}",
                float(&current["cpu_percent"]),
                float(&limits["cpu_percent"]),
                float(&current["memory_bytes"]) / 1e6,
                float(&limits["memory_bytes"]) / 1e6
            ),
        );
    }
    if let Some(level) = all["budget"].get("level") {
        let (step, reason) = (word(&all["budget"]["step"]), word(&all["budget"]["reason"]));
        line(&mut text, format_args!("budget    step {} ({step}): {reason}", number(level)));
    }
    let signals = all["sampling"]["signals"].as_object();
    for (i, (name, state)) in signals.into_iter().flatten().enumerate() {
        let boost = match state["boost_remaining_seconds"].as_f64() {
            Some(left) => {
                format!(", boosted {:.1} times for {left:.0} s more", float(&state["boost_factor"]))
            }
            None => String::new(),
        };
        line(
            &mut text,
            format_args!(
                "{:<9} {}: {} configured, {} in force{boost}",
                if i == 0 { "rates" } else { "" },
                plain(name),
                float(&state["configured_rate"]),
                float(&state["effective_rate"])
            ),
        );
    }
    text
}

/// The most frequent types of events that programs invent, and what is left of them.
fn event_types(text: &mut String, types: &Value) {
    const SHOWN: usize = 10;
    let told = |count: &Value| {
        about(count["kept"].as_u64().unwrap_or(0), float(&count["estimate"]), float(&count["standard_error"]))
    };
    let known = types["types"].as_array().map_or(&[][..], Vec::as_slice);
    for (i, of_type) in known.iter().take(SHOWN).enumerate() {
        let heading = if i == 0 { "types" } else { "" };
        line(text, format_args!("{heading:<9} {}: {}", word(&of_type["event_type"]), told(of_type)));
    }
    if let Some(more @ 1..) = known.len().checked_sub(SHOWN) {
        line(text, format_args!("{:<9} and {more} more types", ""));
    }
    if types["others"]["kept"].as_u64().is_some_and(|kept| kept > 0) {
        line(text, format_args!("{:<9} further types together: {}", "", told(&types["others"])));
    }
}

/// An event as one line.
pub(super) fn event(json: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(json) else { return plain(json) };
    let mut text = format!("{} {}", word(&event["timestamp"]), word(&event["event_type"]));
    for name in ["status", "suite", "test_id"] {
        if event[name].is_string() {
            text.push(' ');
            text.push_str(&word(&event[name]));
        }
    }
    if let Some(milliseconds) = event["duration_ms"].as_f64() {
        text.push_str(&format!(" {milliseconds:.3} ms"));
    }
    for name in ["message", "data"] {
        match &event[name] {
            Value::String(message) => text.push_str(&format!(": {}", plain(message))),
            data @ Value::Object(_) => text.push_str(&format!(" {}", plain(&data.to_string()))),
            _ => {}
        }
    }
    text
}

pub(super) fn word(value: &Value) -> String {
    plain(value.as_str().unwrap_or("?"))
}

pub(super) fn number(value: &Value) -> String {
    value.as_u64().map_or_else(|| "?".to_owned(), |number| number.to_string())
}

pub(super) fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn seconds(value: &Value) -> String {
    // Rounded down; a float beyond the range becomes the nearest integer in it.
    let whole = value.as_f64().unwrap_or(0.0) as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole} s"),
        (0, 0, _) => format!("{minutes} min {} s", whole % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a String does not fail.
    let _ = writeln!(text, "{line}");
}
