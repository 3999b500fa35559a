//! The accounts of an agent under test, as its API and its metrics show them: each adds up, and both say the same.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::answer::Metrics;
use super::control::Control;
use super::{Agent, until};

/// What an agent has counted, once nothing of it is under way between the kernel and the agent.
pub struct Accounts {
    /// `/api/v1/stats`.
    pub stats: Value,
    /// A scrape at the same counts.
    pub metrics: Metrics,
}

impl Accounts {
    /// Waits until they balance and stand still, and checks that the API and the metrics agree to the unit.
    ///
    /// # Errors
    /// With what does not add up.
    pub fn settled(agent: &Agent, control: &Control) -> Result<Self> {
        Self::once(agent, control, |_| Ok(()))
    }

    /// The same once something else holds too.
    ///
    /// # Errors
    /// With what does not add up, or what is not so.
    pub fn once(agent: &Agent, control: &Control, is_so: impl Fn(&Self) -> Result<()>) -> Result<Self> {
        until("the accounts add up", || {
            control.settled()?;
            let before = control.get("/api/v1/stats")?;
            let metrics = agent.metrics()?;
            let stats = control.get("/api/v1/stats")?;
            for part in ["balance", "sinks", "handlers", "stream_events"] {
                ensure!(before[part] == stats[part], "{part} moves: {} {}", before[part], stats[part]);
            }
            let accounts = Self { stats, metrics };
            accounts.check()?;
            is_so(&accounts)?;
            Ok(Some(accounts))
        })
    }

    /// A number of the balance.
    #[must_use]
    pub fn of(&self, field: &str) -> u64 {
        number(&self.stats["balance"][field])
    }

    /// Records that were dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: &str) -> u64 {
        number(&self.stats["balance"]["dropped"][reason])
    }

    /// The account of a sink or a handler.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, part: &str, name: &str) -> Result<&Value> {
        let all = self.stats[part].as_array().context("a list")?;
        all.iter().find(|account| account["name"] == name).with_context(|| format!("{name} in {all:?}"))
    }

    fn check(&self) -> Result<()> {
        for (field, name) in [
            ("hits", "sidecar_hits_total"),
            ("kept", "sidecar_kept_total"),
            ("recalled", "sidecar_recalled_total"),
            ("aborted", "sidecar_aborted_total"),
            ("sampled_out", "sidecar_sampled_out_total"),
            ("lost", "sidecar_lost_total"),
            ("disabled", "sidecar_disabled_total"),
            ("received", "sidecar_records_received_total"),
            ("processed", "sidecar_records_processed_total"),
            ("in_flight", "sidecar_records_in_flight"),
            ("queued", "sidecar_queue_size"),
        ] {
            self.same(self.of(field), name, &[])?;
        }
        let sum = |fields: &[&str]| -> u64 { fields.iter().map(|field| self.of(field)).sum() };
        ensure!(self.of("hits") == sum(&["kept", "sampled_out", "lost", "disabled"]), "{}", self.stats);
        ensure!(
            sum(&["kept", "recalled", "aborted"]) == sum(&["received", "not_yet_read"]),
            "{}",
            self.stats
        );
        let dropped =
            self.reasons(&self.stats["balance"]["dropped"], "sidecar_records_dropped_total", &[])?;
        ensure!(self.of("received") == sum(&["processed", "queued"]) + dropped, "{}", self.stats);
        for account in self.stats["sinks"].as_array().context("sinks")? {
            let label = ("sink", account["name"].as_str().context("a name")?);
            self.same(number(&account["received"]), "sidecar_sink_events_received_total", &[label])?;
            self.same(number(&account["done"]), "sidecar_sink_events_written_total", &[label])?;
            self.same(number(&account["waiting"]), "sidecar_sink_queue_size", &[label])?;
            let not_done =
                self.reasons(&account["not_done"], "sidecar_sink_events_dropped_total", &[label])?;
            adds_up(account, not_done)?;
        }
        for account in self.stats["handlers"].as_array().context("handlers")? {
            let label = ("handler", account["name"].as_str().context("a name")?);
            self.same(number(&account["received"]), "sidecar_handler_events_received_total", &[label])?;
            self.same(number(&account["waiting"]), "sidecar_handler_queue_size", &[label])?;
            self.same(number(&account["in_flight"]), "sidecar_handler_events_in_flight", &[label])?;
            let handled = [label, ("outcome", "handled")];
            self.same(number(&account["done"]), "sidecar_handler_events_total", &handled)?;
            let mut not_done = 0;
            for (reason, count) in account["not_done"].as_object().context("reasons")? {
                let of_reason = [label, ("outcome", reason.as_str())];
                self.same(number(count), "sidecar_handler_events_total", &of_reason)?;
                not_done += number(count);
            }
            adds_up(account, not_done)?;
        }
        let stream = &self.stats["stream_events"];
        for (count, name) in [
            (&stream["received"], "sidecar_stream_events_offered_total"),
            (&stream["done"], "sidecar_stream_events_taken_total"),
            (&stream["waiting"], "sidecar_stream_events_waiting"),
            (&stream["not_done"]["lost"], "sidecar_stream_events_lost_total"),
            (&stream["not_done"]["left"], "sidecar_stream_events_left_total"),
        ] {
            self.same(number(count), name, &[])?;
        }
        adds_up(stream, number(&stream["not_done"]["lost"]) + number(&stream["not_done"]["left"]))
    }

    fn same(&self, told: u64, name: &str, labels: &[(&str, &str)]) -> Result<()> {
        let scraped = self.metrics.count(name, labels);
        ensure!(told == scraped, "{name} {labels:?} is {scraped}, and {told} in {}", self.stats);
        Ok(())
    }

    /// Counts by reason are those of a metric, which has no other reasons; their sum.
    fn reasons(&self, counts: &Value, name: &str, labels: &[(&str, &str)]) -> Result<u64> {
        let mut sum = 0;
        for (reason, count) in counts.as_object().context("reasons")? {
            let mut labels = labels.to_vec();
            labels.push(("reason", reason));
            self.same(number(count), name, &labels)?;
            sum += number(count);
        }
        self.same(sum, name, labels)?;
        Ok(sum)
    }
}

/// `received = done + waiting + in_flight + not done`.
fn adds_up(account: &Value, not_done: u64) -> Result<()> {
    let [received, done, waiting, in_flight] =
        ["received", "done", "waiting", "in_flight"].map(|field| number(&account[field]));
    ensure!(received == done + waiting + in_flight + not_done, "{account}");
    Ok(())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}
