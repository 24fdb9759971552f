"""Calling an operation again when it fails."""


class RetryError(Exception):
    """The operation did not succeed within the attempts it was given."""

    def __init__(self, attempts, last_error):
        super().__init__(f"no success after {attempts} attempts: {last_error!r}")
        self.attempts = attempts
        self.last_error = last_error


def attempt(operation):
    """Call the operation once; return its result and None, or None and the error it raised."""
    try:
        return operation(), None
    except Exception as error:
        return None, error


def retry(operation, max_attempts):
    """Call the operation until it succeeds, at most max_attempts times, and return its result."""
    if max_attempts < 1:
        raise RetryError(0, None)
    attempts = 1
    result, error = attempt(operation)
    while error is None and attempts < max_attempts:
        attempts += 1
        result, error = attempt(operation)
    if error is not None:
        raise RetryError(attempts, error)
    return result
