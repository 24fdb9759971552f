import unittest

from retry import RetryError, retry


class Operation:
    """Fails a number of times, then succeeds, and counts its calls."""

    def __init__(self, failures):
        self.failures = failures
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError(f"failure {self.calls}")
        return f"success on call {self.calls}"


class RetryTest(unittest.TestCase):
    def test_first_attempt_ok_returns_immediately(self):
        operation = Operation(failures=0)
        self.assertEqual(retry(operation, max_attempts=5), "success on call 1")
        self.assertEqual(operation.calls, 1)

    def test_gives_up_after_max_attempts(self):
        operation = Operation(failures=10)
        with self.assertRaises(RetryError) as caught:
            retry(operation, max_attempts=3)
        self.assertEqual(caught.exception.attempts, 3)
        self.assertEqual(str(caught.exception.last_error), "failure 3")
        self.assertEqual(operation.calls, 3)

    def test_zero_max_attempts_errors(self):
        operation = Operation(failures=0)
        with self.assertRaises(RetryError):
            retry(operation, max_attempts=0)
        self.assertEqual(operation.calls, 0)

    def test_retries_on_error_until_success(self):
        operation = Operation(failures=2)
        self.assertEqual(retry(operation, max_attempts=5), "success on call 3")
        self.assertEqual(operation.calls, 3)


if __name__ == "__main__":
    unittest.main()
