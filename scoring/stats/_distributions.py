"""What is asked of scipy: the distributions that have no closed form."""

from typing import Any

from ._library import needing_scipy

__all__ = ["binomial_p_value", "student_t_quantile", "wilson_ends"]


def student_t_quantile(share: float, degrees_of_freedom: int) -> float:
    """The point below which that share of Student's t lies. Raises InputError without scipy."""
    return float(_scipy_stats().t.ppf(share, degrees_of_freedom))


def binomial_p_value(successes: int, trials: int) -> float:
    """Exact and two-sided, of a fair coin; at least one trial. Raises InputError without scipy."""
    return float(_scipy_stats().binomtest(successes, trials, 0.5).pvalue)


def wilson_ends(successes: int, trials: int, level: float) -> tuple[float, float]:
    """Low and high end of Wilson's score interval, without continuity correction. Raises InputError without scipy."""
    found = _scipy_stats().binomtest(successes, trials).proportion_ci(confidence_level=level, method="wilson")
    return float(found.low), float(found.high)


def _scipy_stats() -> Any:
    with needing_scipy():
        from scipy import stats  # noqa: PLC0415  an extra, and slow to import
    return stats
