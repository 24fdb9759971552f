import unittest

from calc import add


class AddTest(unittest.TestCase):
    def test_adds_positive_numbers(self):
        self.assertEqual(add(2, 3), 5)

    def test_adds_negative_numbers(self):
        self.assertEqual(add(-2, -3), -5)

    def test_zero_changes_nothing(self):
        self.assertEqual(add(7, 0), 7)
