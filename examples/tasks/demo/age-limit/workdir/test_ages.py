import unittest

from ages import is_adult


class IsAdultTest(unittest.TestCase):
    def test_below_the_limit(self):
        self.assertFalse(is_adult(17))

    def test_at_the_limit(self):
        self.assertTrue(is_adult(18))

    def test_above_the_limit(self):
        self.assertTrue(is_adult(40))
