"""Robot Framework, told: `robot --listener sidecar_runtime.robot SUITES`."""

from sidecar_runtime import marks

ROBOT_LISTENER_API_VERSION = 3

_STATUS = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped", "NOT RUN": "skipped"}


def start_suite(data, result):
    marks.event("suite_start", {"suite": _name(result)})


def end_suite(data, result):
    marks.event("suite_end", {"suite": _name(result), "status": str(result.status)})


def start_test(data, result):
    marks.test_start(_name(result), _name(result.parent))


def end_test(data, result):
    name = _name(result)
    if marks.native is not None and marks.native.enabled(2):
        info = {"file": str(getattr(data, "source", "") or "")[-400:], "line": getattr(data, "lineno", None)}
        tags = [str(tag) for tag in result.tags][:20]
        if tags:
            info["tags"] = tags
        marks.event("test_info", info, name)
    status = _STATUS.get(str(result.status), "unknown")
    marks.test_end(name, status, _seconds(result), result.message or None)


def _name(result):
    # Robot Framework 7 has another word for it.
    return getattr(result, "full_name", None) or getattr(result, "longname", None) or result.name


def _seconds(result):
    elapsed = getattr(result, "elapsed_time", None)
    return result.elapsedtime / 1e3 if elapsed is None else elapsed.total_seconds()
