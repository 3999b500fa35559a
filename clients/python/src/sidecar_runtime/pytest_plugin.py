"""The pytest plugin: every attempt at a test is told by two markers and an event, from the process that runs it.

Hooks are the dear part of a plugin. While nobody listens, the only one is a look at the start of each test.
"""

import json

import pytest

from sidecar_runtime import marks

#: What an event carries at most, so that its JSON is never cut.
MOST_INFO = 1000


def pytest_configure(config):
    if marks.native is None:
        return
    worker = getattr(config, "workerinput", None)
    if worker is None and _hands_out_tests(config):
        # Its workers speak for themselves; what they report to this process is told already.
        config.pluginmanager.register(Controller(), "sidecar-controller")
        return
    worker = worker or {}
    teller = Teller(worker.get("sidecar_run_id") or marks.run_id(), worker.get("workerid"))
    config.pluginmanager.register(Waiter(config.pluginmanager, teller), "sidecar-waiter")


def _hands_out_tests(config):
    option = config.option
    return getattr(option, "dist", "no") != "no" or bool(getattr(option, "tx", None))


class Controller:
    """Gives the workers of pytest-xdist the run's id."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node):
        node.workerinput["sidecar_run_id"] = marks.run_id()


class Waiter:
    """Waits for somebody to listen."""

    def __init__(self, plugins, teller):
        self.plugins = plugins
        self.teller = teller

    def pytest_runtestloop(self, session):
        self._look(session)

    def pytest_runtest_logstart(self, nodeid, location):
        self._look(None)

    def _look(self, session):
        if marks.native.listening():
            self.plugins.unregister(self)
            if session is not None:
                self.teller.pytest_collection_finish(session)
            self.plugins.register(self.teller, "sidecar-teller")
        return None


class Teller:
    """Tells of each attempt at a test."""

    def __init__(self, run, worker):
        self.run = run
        self.worker = worker
        self.markers = {}
        self.test = None
        self.running = False
        self.rerun = False
        self.attempt = 1
        self.location = ("", None, "")
        self.seconds = 0.0
        self.phases = {}
        self.status = "passed"
        self.message = None

    def pytest_collection_finish(self, session):
        for item in session.items:
            names = [mark.name for mark in item.iter_markers()]
            if names:
                self.markers[item.nodeid] = names

    def pytest_runtest_logstart(self, nodeid, location):
        self._start(nodeid)

    def _start(self, nodeid):
        if self.running:
            self._end()
        self.attempt = self.attempt + 1 if self.rerun and nodeid == self.test else 1
        self.test = nodeid
        self.running = True
        self.rerun = False
        self.seconds = 0.0
        self.phases = {}
        self.status = "passed"
        self.message = None
        marks.native.test_start(self.run, nodeid, nodeid.partition("::")[0], self.attempt)

    def pytest_runtest_logreport(self, report):
        when = report.when
        # pytest-rerunfailures tells of a further attempt by its reports alone, or by a start, as its version is.
        if not self.running or report.nodeid != self.test or (self.rerun and when == "setup"):
            self._start(report.nodeid)
        self.seconds += report.duration
        self.phases[when] = report.duration
        self.location = report.location
        outcome = report.outcome
        if outcome != "passed" or hasattr(report, "wasxfail"):
            self._note(report, when, outcome)
        if outcome == "rerun":
            self.rerun = True
        if when == "teardown":
            self._end()

    def pytest_sessionfinish(self):
        if self.running and self.rerun:
            self._end()

    def _note(self, report, when, outcome):
        if hasattr(report, "wasxfail"):
            status = "xfail" if outcome == "skipped" else "xpass"
            message = report.wasxfail
        elif outcome == "skipped":
            status, message = "skipped", _reason(report.longrepr)
        else:
            status, message = "failed" if when == "call" else "error", _crash(report)
        # What went wrong first counts, and more than what did not go wrong.
        if self.status not in ("failed", "error"):
            self.status = status
            self.message = message

    def _end(self):
        self.running = False
        native = marks.native
        if native.enabled(2):
            native.event(self.run, self.test, "test_info", self._info())
        number = marks.STATUS[self.status]
        native.test_end(self.run, self.test, number, self.seconds, self.message, self.attempt)

    def _info(self):
        file, line, _ = self.location
        info = {"phases": self.phases, "file": file}
        if line is not None:
            info["line"] = line + 1
        if self.worker is not None:
            info["worker"] = self.worker
        markers = self.markers.get(self.test)
        if markers:
            info["markers"] = markers
        text = json.dumps(info)
        if len(text) > MOST_INFO:
            info.pop("markers", None)
            info["file"] = info["file"][-400:]
            text = json.dumps(info)
        return text if len(text) <= MOST_INFO else json.dumps({"phases": self.phases})


def _reason(longrepr):
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        reason = str(longrepr[2])
        return reason[9:] if reason.startswith("Skipped: ") else reason
    return None if longrepr is None else str(longrepr)


def _crash(report):
    longrepr = report.longrepr
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return crash.message
    try:
        return None if longrepr is None else str(longrepr)
    except Exception:  # A plugin's own report may be anything.
        return None
