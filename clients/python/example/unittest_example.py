"""A suite in which a test ends in each way that unittest knows."""

import time
import unittest


class Cart(unittest.TestCase):
    def test_passes(self):
        self.assertEqual(sum([1, 2]), 3)

    def test_takes_its_time(self):
        time.sleep(0.05)

    def test_fails(self):
        self.assertEqual(sum([1, 2]), 4)

    def test_raises(self):
        raise KeyError("\udcff lone surrogate")

    @unittest.skip("not today")
    def test_is_skipped(self):
        raise AssertionError("never run")

    def test_skips_itself(self):
        self.skipTest("no database")

    @unittest.expectedFailure
    def test_fails_as_expected(self):
        self.fail("known")

    @unittest.expectedFailure
    def test_passes_unexpectedly(self):
        pass

    def test_has_parts(self):
        for part in range(3):
            with self.subTest(part=part):
                self.assertNotEqual(part, 1)


class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise RuntimeError("no set-up")

    def test_is_not_run(self):
        raise AssertionError("never run")
