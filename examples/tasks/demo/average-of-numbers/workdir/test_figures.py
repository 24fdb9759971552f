import unittest

from figures import average


class AverageTest(unittest.TestCase):
    def test_average_of_several(self):
        self.assertEqual(average([1, 2, 6]), 3)

    def test_average_of_negative_numbers(self):
        self.assertEqual(average([-1, -3]), -2)

    def test_average_of_one(self):
        self.assertEqual(average([6]), 6)
