"""Means of runs that hang together: several runs of one task are not independent of one another.

Miller, "Adding Error Bars to Evals", arXiv 2411.00640. Sums are exact, so that no order of the runs changes a bit of them.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ._bootstrap import why_no_spread
from ._distributions import student_t_quantile
from ._interval import LEVEL, Interval, check_level
from ._trials import Trial, by_task, missing, values_of

__all__ = ["Mean", "clustered_error", "clustered_mean", "exact_mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over runs, and how far it can be trusted."""

    value: float | None
    """None if no run has a value."""
    error: float | None
    """Standard error with tasks as clusters; None with fewer than two tasks."""
    independent_error: float | None
    """Standard error as if runs of one task were independent, to compare; None with fewer than two runs."""
    interval: Interval | None
    """By Student's t with one degree of freedom fewer than there are tasks; None where these show no spread, or none was
    asked for."""
    tasks: int
    """That have a value."""
    n: int
    """Runs that have a value; each weighs the same."""
    missing: int
    """Runs that have none: they are in nothing above."""
    reason: str | None
    """Why something above is None; None if nothing is, or only the interval because none was asked for."""


def exact_mean(values: Sequence[float | Fraction]) -> Fraction:
    """The mean of at least one number, without rounding."""
    return sum((Fraction(value) for value in values), Fraction()) / len(values)


def clustered_error(clusters: Iterable[Sequence[float]]) -> float | None:
    """The standard error of a mean of values in clusters; None with fewer than two clusters that have any.

    The root of (1/n²) Σ_c (Σ_i (s_ic - m))² · C/(C-1). The last factor, for few clusters, is what statsmodels and Inspect
    apply, too; Miller's formula is without it. With one value a cluster it is the usual s/√n.
    """
    groups = [group for group in clusters if group]
    if len(groups) < 2:  # noqa: PLR2004
        return None
    totals = [sum(map(Fraction, group), Fraction()) for group in groups]
    n = sum(map(len, groups))
    mean = sum(totals, Fraction()) / n
    squares = sum(((total - len(group) * mean) ** 2 for total, group in zip(totals, groups, strict=True)), Fraction())
    return math.sqrt(squares * len(groups) / (len(groups) - 1) / n**2)


def clustered_mean(trials: Iterable[Trial], level: float | None = LEVEL) -> Mean:
    """The mean over all runs that have a value, with tasks as clusters.

    Args:
        trials: with the values of any one axis.
        level: of the interval; None for no interval, which is all that scipy is needed for.

    Raises:
        InputError: scipy is not installed, a run is there twice, or the level is none.
    """
    if level is not None:
        check_level(level)
    tasks = by_task(trials)
    groups = {task: values for task, group in tasks.items() if (values := values_of(group))}
    values = [value for group in groups.values() for value in group]
    mean = float(exact_mean(values)) if values else None
    error = clustered_error(groups.values())
    reason = why_no_spread({task: (math.fsum(group), len(group)) for task, group in groups.items()})
    interval = None
    if mean is not None and error is not None and reason is None and level is not None:
        reach = student_t_quantile((1 + level) / 2, len(groups) - 1) * error
        interval = Interval(mean - reach, mean + reach)
    return Mean(
        value=mean,
        error=error,
        independent_error=clustered_error([value] for value in values),
        interval=interval,
        tasks=len(groups),
        n=len(values),
        missing=missing(tasks),
        reason=reason if values else "no run has a value",
    )
