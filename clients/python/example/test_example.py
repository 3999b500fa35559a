"""A suite in which a test ends in each way that pytest knows."""

import time
import warnings

import pytest

attempts = {"flaky": 0}


def test_passes():
    assert sum([1, 2]) == 3


def test_takes_its_time():
    time.sleep(0.05)


def test_fails():
    assert sum([1, 2]) == 4


@pytest.mark.slow
@pytest.mark.owner("cart")
def test_has_markers():
    pass


@pytest.mark.parametrize("price", ["-1", "a/b", "ü", "long " * 30])
def test_has_parameters(price):
    assert price


@pytest.mark.skip(reason="not today")
def test_is_skipped():
    raise AssertionError("never run")


def test_skips_itself():
    pytest.skip("no database")


@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    raise AssertionError("known")


@pytest.mark.xfail(reason="thought to be broken")
def test_passes_unexpectedly():
    pass


@pytest.mark.xfail(strict=True, reason="must be broken")
def test_passes_although_it_must_not():
    pass


@pytest.mark.xfail(run=False, reason="crashes")
def test_is_not_run():
    raise AssertionError("never run")


@pytest.fixture
def broken():
    raise RuntimeError("no set-up")


def test_has_no_setup(broken):
    raise AssertionError("never run")


@pytest.fixture
def leaky():
    yield
    raise RuntimeError("no teardown")


def test_has_no_teardown(leaky):
    pass


def test_fails_and_has_no_teardown(leaky):
    raise AssertionError("the test itself")


@pytest.fixture
def skipping():
    pytest.skip("the fixture skips")


def test_is_skipped_by_its_fixture(skipping):
    raise AssertionError("never run")


@pytest.mark.flaky(reruns=2)
def test_is_flaky():
    attempts["flaky"] += 1
    assert attempts["flaky"] == 3


class TestClass:
    def test_method(self):
        warnings.warn("nothing to worry about")

    def test_raises(self):
        raise KeyError("\udcff lone surrogate")
