"""`SidecarRuntime`: the face of the Python sidecar, with the agent of this node behind it.

Events go through the markers. Health, metrics and figures are the agent's. Nothing here raises, starts a thread, or waits for
more than half a second; without an agent everything is a quiet no-op, and health says `unavailable`.
"""

import datetime
import time
import types

from sidecar_runtime import marks
from sidecar_runtime.agent import Agent
from sidecar_runtime.config import SidecarConfig

_DEFAULTS = SidecarConfig()


class Event(types.SimpleNamespace):
    """What a handler is given: event_type, data, test_id, run_id, timestamp (seconds since the epoch)."""


class SidecarRuntime:
    """Tells the agent what happens here, and asks it how it is."""

    def __init__(self, config=None, adaptive_sampling=True, agent=None):
        self.config = config if config is not None else SidecarConfig()
        self.adaptive_sampling = adaptive_sampling
        self.agent = agent or Agent()
        self.observer = Observer(self.agent)
        self.sampler = Sampler(self.agent)
        self.profiler = Profiler(self.agent)
        self.health = Health(self)
        self._handlers = {}
        self._running = False
        self._refused = []

    def start(self):
        """Begins, and asks the agent for the rates that differ from the defaults. Whether an agent answers."""
        self._running = True
        self._refused = []
        for signal, rate in self.config.sampling.rates().items():
            if rate != getattr(_DEFAULTS.sampling, signal) and not self.sampler.set_rate(signal, rate):
                self._refused.append(f"sampling.{signal}")
        for part in ("resources", "profiling", "health_checks"):
            if getattr(self.config, part) != getattr(_DEFAULTS, part):
                self._refused.append(part)
        return self.agent.ask("GET", "/livez") is not None

    def stop(self):
        """Ends. The agent goes on."""
        self._running = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        return False

    def observe(self, event_type, data=None, execution_id=None, test_id=None, run_id=None):
        """Tells of an event, and calls its handlers. Whether the agent listens."""
        if not self._running or not self.config.enabled:
            return False
        data = {} if data is None else data
        fields = data if isinstance(data, dict) else {}
        test = test_id if test_id is not None else fields.get("test_id")
        run = run_id or execution_id or fields.get("run_id")
        self.observer.received += 1
        heard = bool(self._fire(event_type, data, fields, test, run))
        self._handle(Event(event_type=event_type, data=data, test_id=test, run_id=run, timestamp=time.time()))
        return heard

    def _fire(self, event_type, data, fields, test, run):
        attempt = fields.get("attempt", 1)
        if event_type == "test_start":
            return marks.test_start(test, fields.get("suite"), attempt, run)
        if event_type in ("test_end", "test_failure"):
            status = fields.get("status", "failed" if event_type == "test_failure" else "unknown")
            took = fields.get("duration_ms", 0)
            seconds = took / 1e3 if isinstance(took, (int, float)) and abs(took) < 1e300 else 0.0
            message = fields.get("message", fields.get("error"))
            return marks.test_end(test, status if isinstance(status, str) else "unknown", seconds, message, attempt, run)
        return marks.event(event_type, data, test, run)

    def register_handler(self, event_type, handler):
        """Has the handler called, here and at once, for each event of this type that is observed by this object."""
        self._handlers.setdefault(event_type, []).append(handler)

    def _handle(self, event):
        for handler in self._handlers.get(event.event_type, ()):
            try:
                handler(event)
            except Exception as error:  # A handler may raise anything, and the test must not notice.
                self.observer.errors += 1
                self.observer.last_error = f"{type(error).__name__}: {error}"

    def get_health(self):
        """The agent's health, with a component for this client; without an agent `unavailable`."""
        health = self.agent.get("/health")
        if not isinstance(health, dict) or "status" not in health:
            why = "no agent answers on this node"
            return {
                "status": "unavailable",
                "uptime_seconds": 0.0,
                "uptime_human": "0:00:00",
                "timestamp": _now(),
                "components": {"agent": {"status": "unavailable", "message": why}},
            }
        health["uptime_human"] = str(datetime.timedelta(seconds=int(health.get("uptime_seconds", 0))))
        health["timestamp"] = _now()
        health.setdefault("components", {})["client"] = self._client()
        return health

    def _client(self):
        problems = [marks.MISSING] if marks.MISSING else []
        if self._refused:
            problems.append(f"as the agent's own configuration says, not as this one: {', '.join(self._refused)}")
        if self.observer.last_error:
            problems.append(f"a handler failed: {self.observer.last_error}")
        # Of this process alone: the agent is what its other components say.
        return {"status": "healthy", "message": "; ".join(problems) or "events go through the markers"}

    def get_metrics(self):
        """The agent's metrics: {name: {type, value, help}}, of a family with labels the sum."""
        metrics = {}
        for line in self.export_metrics().splitlines():
            words = line.split(" ", 3)
            if line.startswith("# HELP ") and len(words) == 4:
                metrics.setdefault(words[2], {"type": "untyped", "value": 0.0, "help": ""})["help"] = words[3]
            elif line.startswith("# TYPE ") and len(words) == 4:
                metrics.setdefault(words[2], {"type": "untyped", "value": 0.0, "help": ""})["type"] = words[3]
            elif line and not line.startswith("#"):
                name = line.partition("{")[0].partition(" ")[0]
                try:
                    value = float(line.rpartition(" ")[2])
                except ValueError:
                    continue
                metrics.setdefault(name, {"type": "untyped", "value": 0.0, "help": ""})["value"] += value
        return metrics

    def export_metrics(self):
        """The agent's metrics as Prometheus text; empty without an agent."""
        answer = self.agent.ask("GET", "/metrics")
        return answer[1] if answer is not None and answer[0] == 200 else ""

    def reload_config(self):
        """Has the agent read its configuration again, and this one its file. Whether the agent did."""
        self.config.reload()
        answer = self.agent.ask("POST", "/api/v1/config/reload", {})
        return answer is not None and answer[0] == 200


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


class Observer:
    """What was told, and what became of it."""

    def __init__(self, agent):
        self._agent = agent
        self.received = 0
        self.errors = 0
        self.last_error = None

    def get_stats(self):
        """The agent's counts for the whole node; `events_observed` and `handler_errors` are this object's own."""
        stats = self._agent.get("/api/v1/stats") or {}
        count = {name: stats.get(name, 0) for name in ("events_dropped", "events_processed", "errors")}
        return {
            # Without an agent, what was observed here was received by nobody else.
            "events_received": stats.get("events_received", 0) or self.received,
            "events_sampled": stats.get("events_sampled_out", 0),
            **count,
            "last_error": stats.get("last_error"),
            "queue_size": stats.get("queue_size", 0),
            "queue_capacity": stats.get("queue_capacity", 0),
            "queue_utilization": stats.get("queue_utilization_ratio", 0.0),
            "running": bool(stats.get("running", False)),
            "events_observed": self.received,
            "handler_errors": self.errors,
        }


class Sampler:
    """The agent's rates."""

    def __init__(self, agent):
        self._agent = agent

    def _change(self, method, path, body):
        answer = self._agent.ask(method, path, body)
        return answer is not None and answer[0] in (200, 204)

    def set_rate(self, signal, rate):
        """Sets a signal's rate, from 0 to 1. Whether the agent did."""
        return self._change("PUT", f"/api/v1/sampling/{_path(signal)}", {"rate": rate})

    def boost(self, signal, factor=5.0, duration=60.0):
        """Raises a signal's rate for a time, in seconds. Whether the agent did."""
        body = {"factor": factor, "duration_sec": duration}
        return self._change("POST", f"/api/v1/sampling/{_path(signal)}/boost", body)

    def report_anomaly(self, signal, kind="error"):
        """More of this signal should be kept for a while. Whether somebody listens."""
        return bool(marks.anomaly(signal, kind))

    def get_stats(self):
        """Rates and counts by signal."""
        return (self._agent.get("/api/v1/sampling") or {}).get("signals", {})


def _path(signal):
    return "".join(letter if letter.isalnum() or letter in "_-." else "_" for letter in str(signal))


class Profiler:
    """What the agent takes, never the tests."""

    def __init__(self, agent):
        self._agent = agent

    def get_current(self):
        """timestamp, cpu_percent (of one core), memory_mb, thread_count, available; zeros where no agent answers."""
        current = (self._agent.get("/api/v1/profile") or {}).get("current") or {}
        return types.SimpleNamespace(
            timestamp=current.get("timestamp"),
            cpu_percent=current.get("cpu_percent", 0.0),
            memory_mb=current.get("memory_bytes", 0) / 1e6,
            thread_count=current.get("thread_count", 0),
            available=bool(current),
        )

    def get_summary(self, window_seconds=60):
        """Means and maxima over the last seconds; empty where no agent answers."""
        window = window_seconds if isinstance(window_seconds, (int, float)) else 60
        summary = (self._agent.get(f"/api/v1/profile?window={int(max(1, window))}") or {}).get("summary") or {}
        if not summary:
            return {}
        return {
            "cpu_avg": summary.get("cpu_avg"),
            "cpu_max": summary.get("cpu_max"),
            "memory_avg": (summary.get("memory_avg_bytes") or 0) / 1e6,
            "memory_max": (summary.get("memory_max_bytes") or 0) / 1e6,
            "memory_growth_mb": (summary.get("memory_growth_bytes") or 0) / 1e6,
            "sample_count": summary.get("sample_count", 0),
        }

    def is_over_budget(self, cpu_budget=None, memory_budget_mb=None):
        """cpu_over_budget and memory_over_budget: by the agent's own budget, or by those that are given."""
        if cpu_budget is None and memory_budget_mb is None:
            budget = self._agent.get("/api/v1/budget") or {}
            return {name: bool(budget.get(name, False)) for name in ("cpu_over_budget", "memory_over_budget")}
        now = self.get_current()
        return {
            "cpu_over_budget": cpu_budget is not None and now.cpu_percent > cpu_budget,
            "memory_over_budget": memory_budget_mb is not None and now.memory_mb > memory_budget_mb,
        }


class Health:
    """The short questions."""

    def __init__(self, runtime):
        self._runtime = runtime

    def is_healthy(self):
        return self._runtime.get_health()["status"] == "healthy"

    def is_degraded(self):
        return self._runtime.get_health()["status"] == "degraded"
