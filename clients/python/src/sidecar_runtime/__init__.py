"""Tells sidecar, which watches from outside, what Python tests do."""

from sidecar_runtime.config import SidecarConfig
from sidecar_runtime.runtime import SidecarRuntime

__all__ = ["SidecarConfig", "SidecarRuntime"]
