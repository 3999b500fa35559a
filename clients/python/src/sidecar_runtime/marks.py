"""The markers, or nothing where they can't be: no function here raises or blocks."""

import json
import logging
import os
import uuid

try:
    from sidecar_runtime import _sidecar_native as native

    #: Why there are no markers, or None.
    MISSING = None
except ImportError as error:
    native = None
    MISSING = f"the extension that fires the markers can't be loaded: {error}"

LOG = logging.getLogger("sidecar_runtime")

#: How a test can end, with the numbers of sidecar.h.
STATUS = {
    "unknown": 0,
    "passed": 1,
    "failed": 2,
    "skipped": 3,
    "error": 4,
    "timeout": 5,
    "aborted": 6,
    "xfail": 7,
    "xpass": 8,
}

_RUN_ID = None
_said = False


def run_id():
    """The run that this process belongs to: SIDECAR_RUN_ID from the environment, else made once."""
    global _RUN_ID
    if _RUN_ID is None:
        _RUN_ID = os.environ.get("SIDECAR_RUN_ID") or uuid.uuid4().hex
    return _RUN_ID


def as_json(data):
    """The data as JSON; what JSON has no word for is kept as text, which is said once."""
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        _say(error)
    try:
        return json.dumps(_plain(data, 0), allow_nan=False)
    except Exception:  # Somebody else's code, such as a __str__, may raise anything.
        return json.dumps({"unreadable": type(data).__name__})


def _say(error):
    global _said
    if not _said:
        _said = True
        LOG.warning("data of an event is not JSON (%s); such is kept as text", error)


def _plain(value, depth):
    if depth > 8:
        return "..."
    if isinstance(value, dict):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner, depth + 1) for inner in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return value
    try:
        return str(value)
    except Exception:
        return f"unreadable {type(value).__name__}"


def listening():
    """Whether somebody listens to the ends of tests."""
    return native is not None and native.listening()


def test_start(test_id, suite=None, attempt=1, run=None):
    """A test, or an attempt of it, starts. Whether somebody listens."""
    return native is not None and native.test_start(run or run_id(), test_id, suite, attempt)


def test_end(test_id, status, seconds, message=None, attempt=1, run=None):
    """A test, or an attempt of it, has ended. `status`: a word of STATUS. Whether somebody listens."""
    number = STATUS.get(status, 0)
    return native is not None and native.test_end(run or run_id(), test_id, number, seconds, message, attempt)


def event(event_type, data=None, test_id=None, run=None):
    """Something of the program's own happened. `data` becomes JSON. Whether somebody listens."""
    if native is None or not native.enabled(2):
        return False
    return native.event(run or run_id(), test_id, event_type, None if data is None else as_json(data))


def anomaly(signal, kind):
    """More of this signal should be kept for a while. Whether somebody listens."""
    return native is not None and native.anomaly(signal, kind)
