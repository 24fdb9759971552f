"""Proportions: how many of how many, and what that says of the true share."""

from ...traces import InputError
from ._distributions import wilson_ends
from ._interval import LEVEL, Interval, check_level

__all__ = ["rule_of_three", "wilson"]


def wilson(successes: int, trials: int, level: float = LEVEL) -> Interval | None:
    """Wilson's score interval of a proportion (Wilson 1927); None without a trial.

    For trials that are independent of one another. Runs of several tasks, some run more than once, are not: see `rate`.

    Raises:
        InputError: scipy is not installed, more successes than trials, or the level is none.
    """
    check_level(level)
    if not 0 <= successes <= trials:
        raise InputError(f"{successes} successes in {trials} trials: there can be none to all of them")
    if trials == 0:
        return None
    low, high = wilson_ends(successes, trials, level)
    return Interval(min(low, successes / trials), max(high, successes / trials))


def rule_of_three(trials: int) -> float | None:
    """Upper bound, at 95 %, of the share of what was never seen in some trials: 3/n (Hanley and Lippman-Hand 1983).

    None without a trial.
    """
    return None if trials == 0 else min(1.0, 3 / trials)
