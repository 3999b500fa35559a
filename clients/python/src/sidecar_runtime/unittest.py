"""unittest, told: `python -m sidecar_runtime.unittest` takes the place of `python -m unittest`."""

import time
import unittest

from sidecar_runtime import marks


class SidecarResult(unittest.TextTestResult):
    """The usual result, which also tells of each test. A test of which a part (subTest) fails has failed."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._begun = 0.0
        self._status = None
        self._message = None

    def startTest(self, test):
        super().startTest(test)
        self._status = self._message = None
        marks.test_start(test.id(), _suite(test))
        self._begun = time.perf_counter()

    def stopTest(self, test):
        seconds = time.perf_counter() - self._begun
        # What ends without a word was left by an exception that unittest does not catch, such as an interrupt.
        marks.test_end(test.id(), self._status or "aborted", seconds, self._message)
        super().stopTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._note("passed", None)

    def addError(self, test, err):
        super().addError(test, err)
        if not isinstance(test, unittest.TestCase):
            # A class or a module that could not be set up or torn down: no test of its own was started.
            marks.test_start(test.id())
            marks.test_end(test.id(), "error", 0.0, _text(err))
            return
        self._note("error", _text(err))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note("failed", _text(err))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if not isinstance(test, unittest.TestCase):
            return
        self._note("skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._note("xfail", _text(err))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note("xpass", None)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            self._note("failed" if failed else "error", f"{subtest}: {_text(err)}")

    def _note(self, status, message):
        # What went wrong first counts.
        if self._status not in ("failed", "error"):
            self._status = status
            self._message = message


def _suite(test):
    kind = type(test)
    return f"{kind.__module__}.{kind.__qualname__}"


def _text(err):
    try:
        return f"{err[0].__name__}: {err[1]}"
    except Exception:  # Somebody else's __str__ may raise anything.
        return err[0].__name__


class SidecarRunner(unittest.TextTestRunner):
    """The usual runner with that result: `unittest.main(testRunner=SidecarRunner)`."""

    resultclass = SidecarResult


def main():
    """What `python -m unittest` does."""
    unittest.main(module=None, testRunner=SidecarRunner)


if __name__ == "__main__":
    main()
