//! Calling an operation again when it fails.

/// Why `retry` has no value to return.
#[derive(Debug, PartialEq, Eq)]
pub enum RetryError<E> {
    /// The operation may not be attempted at all.
    NoAttempts,
    /// Every attempt failed; this is how often it was attempted, and the last error.
    GaveUp { attempts: u32, last_error: E },
}

/// Calls `operation` until it succeeds, at most `max_attempts` times, and returns its value.
pub fn retry<T, E>(
    max_attempts: u32,
    mut operation: impl FnMut() -> Result<T, E>,
) -> Result<T, RetryError<E>> {
    if max_attempts == 0 {
        return Err(RetryError::NoAttempts);
    }
    let mut attempts = 1;
    let mut result = operation();
    while !result.is_err() && attempts < max_attempts {
        attempts += 1;
        result = operation();
    }
    result.map_err(|last_error| RetryError::GaveUp { attempts, last_error })
}
