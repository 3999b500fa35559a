"""What the package does with what it is given, without an agent."""

import json
import math
import os
import sys
import threading

import pytest

from sidecar_runtime import marks
from sidecar_runtime.pytest_plugin import MOST_INFO, Teller

ODD = [None, "", "x" * 1_000_000, "nul\0inside", "\udcff lone", b"\xff\xfe", 7, object(), ["a"], float("nan")]


class Unshowable:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize("odd", ODD + [Unshowable()], ids=lambda odd: type(odd).__name__)
def test_nothing_that_is_given_raises(odd):
    native = marks.native
    for call in (
        lambda: native.test_start(odd, odd, odd, odd),
        lambda: native.test_end(odd, odd, odd, odd, odd, odd),
        lambda: native.event(odd, odd, odd, odd),
        lambda: native.anomaly(odd, odd),
        lambda: native.test_start(),
        lambda: native.test_end(),
        lambda: native.event(),
        lambda: native.anomaly(),
        lambda: native.enabled(odd) if isinstance(odd, int) else False,
        lambda: marks.event(odd, odd, odd),
    ):
        assert call() in (True, False)


@pytest.mark.parametrize("number", [-1, 4, 2**40, 2**80])
def test_unknown_markers_are_off(number):
    assert marks.native.enabled(number) is False


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -1.0, 1e300, 10**400, "soon", None])
def test_times_that_are_none_do_not_raise(seconds):
    assert marks.native.test_end("r", "t", 1, seconds) in (True, False)


def test_data_becomes_json_whatever_it_is(caplog, monkeypatch):
    monkeypatch.setattr(marks, "_said", False)
    circle = []
    circle.append(circle)
    for data in (object(), {1: {2}}, math.nan, circle, {"deep": Unshowable()}, "\udcff", b"bytes", 2**100):
        json.loads(marks.as_json(data))
    assert len([record for record in caplog.records if record.name == "sidecar_runtime"]) == 1


def test_a_forked_child_fires_and_ends():
    stop = threading.Event()
    others = [threading.Thread(target=stop.wait) for _ in range(4)]
    for other in others:
        other.start()
    child = os.fork()
    if child == 0:
        marks.test_start("forked")
        marks.test_end("forked", "passed", 0.1)
        os._exit(7)
    stop.set()
    for other in others:
        other.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_two_interpreters_load_it():
    interpreters = pytest.importorskip("_xxsubinterpreters")
    other = interpreters.create()
    path = [entry for entry in sys.path if entry]
    interpreters.run_string(
        other,
        f"import sys; sys.path[:0] = {path!r}\n"
        "from sidecar_runtime import _sidecar_native as native\n"
        "assert native.test_start('r', 't') in (True, False)",
    )
    interpreters.destroy(other)
    assert marks.native.test_start("r", "t") in (True, False)


def test_the_run_is_the_environments(monkeypatch):
    monkeypatch.setattr(marks, "_RUN_ID", None)
    monkeypatch.setenv("SIDECAR_RUN_ID", "given")
    assert marks.run_id() == "given"
    monkeypatch.setattr(marks, "_RUN_ID", None)
    monkeypatch.delenv("SIDECAR_RUN_ID")
    assert len(marks.run_id()) == 32
    assert marks.run_id() == marks.run_id()


def test_information_is_whole_json_however_long_the_names():
    teller = Teller("run", "gw0")
    teller.test = "t"
    teller.location = ("folder/" * 1000, 3, "t")
    teller.markers["t"] = ["mark" * 50] * 50
    text = teller._info()
    assert len(text) <= MOST_INFO
    assert json.loads(text)["line"] == 4
