use retry::{retry, RetryError};

/// Fails a number of times, then succeeds with the number of the call, and counts its calls.
fn failing(failures: u32, calls: &mut u32) -> impl FnMut() -> Result<u32, String> + '_ {
    move || {
        *calls += 1;
        if *calls <= failures {
            Err(format!("failure {calls}"))
        } else {
            Ok(*calls)
        }
    }
}

#[test]
fn first_attempt_ok_returns_immediately() {
    let mut calls = 0;
    assert_eq!(retry(5, failing(0, &mut calls)), Ok(1));
    assert_eq!(calls, 1);
}

#[test]
fn gives_up_after_max_attempts() {
    let mut calls = 0;
    let last_error = "failure 3".to_string();
    assert_eq!(retry(3, failing(10, &mut calls)), Err(RetryError::GaveUp { attempts: 3, last_error }));
    assert_eq!(calls, 3);
}

#[test]
fn zero_max_attempts_errors() {
    let mut calls = 0;
    assert_eq!(retry(0, failing(0, &mut calls)), Err(RetryError::NoAttempts));
    assert_eq!(calls, 0);
}

#[test]
fn retries_on_error_until_success() {
    let mut calls = 0;
    assert_eq!(retry(5, failing(2, &mut calls)), Ok(3));
    assert_eq!(calls, 3);
}
