"""The configuration as a program holds it: defaults, a file, a dictionary, the environment.

The agent has a configuration of its own. What is set here and can be changed on a running agent, the sampling rates, is
asked of it at the start; the rest is what the agent's own file says, and `SidecarRuntime.get_health` names the difference.
"""

import dataclasses
import os
from dataclasses import dataclass, field

_TRUE = {"1", "true", "yes", "on", "enabled"}
_FALSE = {"0", "false", "no", "off", "disabled"}


@dataclass
class SamplingConfig:
    """Rates from 0 to 1, by signal."""

    enabled: bool = True
    events: float = 0.1
    traces: float = 0.05
    profiling: float = 0.01
    test_events: float = 0.2
    perf_metrics: float = 0.05
    debug_logs: float = 0.01
    adaptive: object = "enabled"

    def rates(self):
        """The rates by signal."""
        return {name: getattr(self, name) for name in SIGNALS}


SIGNALS = ("events", "traces", "profiling", "test_events", "perf_metrics", "debug_logs")


@dataclass
class ResourcesConfig:
    """What the agent may use."""

    max_queue_size: int = 10_000
    max_cpu_percent: float = 5.0
    max_memory_mb: float = 100
    drop_on_full: bool = True


@dataclass
class ProfilingConfig:
    """How the agent measures itself."""

    enabled: bool = True
    sampling_interval: float = 1.0
    deep_profiling: bool = False


@dataclass
class HealthChecksConfig:
    """How the agent checks its health."""

    enabled: bool = True
    interval_sec: float = 30
    failure_threshold: int = 3


#: Variables and what they set.
_VARIABLES = {
    "SIDECAR_ENABLED": (None, "enabled"),
    "SIDECAR_SAMPLE_EVENTS": ("sampling", "events"),
    "SIDECAR_SAMPLE_TRACES": ("sampling", "traces"),
    "SIDECAR_SAMPLE_PROFILING": ("sampling", "profiling"),
    "SIDECAR_SAMPLE_TEST_EVENTS": ("sampling", "test_events"),
    "SIDECAR_MAX_QUEUE_SIZE": ("resources", "max_queue_size"),
    "SIDECAR_CPU_BUDGET": ("resources", "max_cpu_percent"),
    "SIDECAR_MEMORY_BUDGET_MB": ("resources", "max_memory_mb"),
}


@dataclass
class SidecarConfig:
    """All of it. A value that is wrong raises ValueError with its key where it is read, and nowhere else."""

    enabled: bool = True
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    resources: ResourcesConfig = field(default_factory=ResourcesConfig)
    profiling: ProfilingConfig = field(default_factory=ProfilingConfig)
    health_checks: HealthChecksConfig = field(default_factory=HealthChecksConfig)

    @classmethod
    def from_dict(cls, values):
        """From the section, or from what has it as `sidecar` or `runtime.sidecar`."""
        section = values or {}
        runtime = section.get("runtime")
        if isinstance(runtime, dict) and "sidecar" in runtime:
            section = runtime["sidecar"]
        elif "sidecar" in section:
            section = section["sidecar"]
        config = cls()
        for key, value in (section or {}).items():
            part = getattr(config, key, None)
            if dataclasses.is_dataclass(part) and isinstance(value, dict):
                for inner, given in value.items():
                    if hasattr(part, inner):
                        setattr(part, inner, _typed(f"{key}.{inner}", given, getattr(type(part)(), inner)))
            elif key == "enabled":
                config.enabled = _typed(key, value, True)
        config.validate()
        return config

    @classmethod
    def from_file(cls, path):
        """From a YAML file, which needs the package `PyYAML`."""
        import yaml

        with open(path, encoding="utf-8") as file:
            config = cls.from_dict(yaml.safe_load(file))
        config._path = path
        return config

    @classmethod
    def from_env(cls, environment=None):
        """The defaults with the environment on top."""
        config = cls()
        config._apply(os.environ if environment is None else environment)
        config.validate()
        return config

    def _apply(self, environment):
        for variable, (part, key) in _VARIABLES.items():
            text = environment.get(variable)
            if text is not None:
                target = self if part is None else getattr(self, part)
                setattr(target, key, _typed(variable, text, getattr(type(target)(), key)))

    def reload(self):
        """Reads the file again, if it came from one. Whether it did; what is wrong leaves everything as it was."""
        path = getattr(self, "_path", None)
        if path is None:
            return False
        try:
            fresh = type(self).from_file(path)
        except (OSError, ValueError):
            return False
        self.__dict__.update(fresh.__dict__)
        return True

    def to_dict(self):
        """As nested dictionaries."""
        return dataclasses.asdict(self)

    def validate(self):
        """Raises ValueError for the first value that is out of its range."""
        for name, rate in self.sampling.rates().items():
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"sampling.{name}: {rate!r} is not a rate from 0 to 1")
        resources = self.resources
        for name, value, least, most in (
            ("max_queue_size", resources.max_queue_size, 100, 2**31),
            ("max_cpu_percent", resources.max_cpu_percent, 0.1, 10_000),
            ("max_memory_mb", resources.max_memory_mb, 10, 2**31),
        ):
            if not least <= value <= most:
                raise ValueError(f"resources.{name}: {value!r} is not from {least} to {most}")


def _typed(key, value, like):
    """The value as the default's type."""
    if isinstance(like, bool):
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE | _FALSE:
            return word in _TRUE
        raise ValueError(f"{key}: {value!r} is neither true nor false")
    if isinstance(like, (int, float)):
        try:
            number = float(value)
            return int(number) if isinstance(like, int) and number.is_integer() else number
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{key}: {value!r} is no number") from None
    return value
