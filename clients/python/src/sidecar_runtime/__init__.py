"""Tells sidecar, which watches from outside, what Python tests do."""
