"""Two systems on the same tasks: which is better, or that it cannot be told."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ...traces import InputError
from ._bootstrap import bootstrap_ratio, why_no_spread
from ._flips import Flip, flips, solved_by_one
from ._interval import LEVEL, Interval, check_level
from ._means import clustered_error, exact_mean
from ._power import standard_errors_to_see
from ._resampling import SEED
from ._significance import mcnemar, sign_flip
from ._trials import Tasks, Trial, by_task, missing, values_of

__all__ = ["Better", "Comparison", "Test", "Verdict", "compare"]

Verdict = Literal["a", "b", "not separable"]
"""Which of two is better, or that it cannot be told."""

Better = Literal["higher", "lower"]
"""Which values of an axis are the better ones."""

Test = Literal["mcnemar", "sign flip"]
"""McNemar's exact test, if each side ran each task once, to pass or fail; else the flipping of signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A against B, task by task. Each task weighs the same, however often it was run."""

    verdict: Verdict
    """`not separable` while p is above 1 - level or the interval holds 0."""
    difference: float | None
    """A less B: mean over `tasks` of the difference of the means of their runs. A run without a value counts with the worst
    that there is, or is left out where there is no worst. None if no task has a value of both; so are all numbers below."""
    a: float | None
    """A's part of the difference."""
    b: float | None
    error: float | None
    """Standard error of the difference, over tasks; None with fewer than two."""
    interval: Interval | None
    """Of the difference, by drawing tasks. Low end: had what A misses been the lowest, what B misses the highest that there is;
    high end: the other way round. None with fewer than two tasks, and if all differ by the same."""
    p_value: float | None
    """The chance of a difference as great, were there none: the greatest that is possible with what is missing."""
    test: Test | None
    detectable: float | None
    """The smallest difference that so many tasks would show four times in five; None where tasks show no spread."""
    tasks: int
    """How many the numbers above are of."""
    only_a: tuple[str, ...]
    """Tasks that A solved at least once and B, all of whose runs have a value, never."""
    only_b: tuple[str, ...]
    """The same for B."""
    flips: tuple[Flip, ...]
    """All tasks on which the means of what was measured differ."""
    unpaired: tuple[str, ...]
    """Tasks of one side only: they are in no number."""
    unmeasured: tuple[str, ...]
    """Tasks of both sides of which one has no value."""
    missing_a: int
    """A's runs without a value, at tasks of both sides."""
    missing_b: int
    reason: str | None
    """Why something above is None; None if nothing is."""


def compare(
    a: Iterable[Trial],
    b: Iterable[Trial],
    level: float = LEVEL,
    *,
    better: Better = "higher",
    limits: tuple[float, float] | None = (0.0, 1.0),
    seed: int = SEED,
) -> Comparison:
    """Compare two systems on the tasks that both were run at.

    Args:
        a: runs of one, with the values of one axis.
        b: runs of the other, with the values of the same axis.
        level: of confidence.
        better: which values are.
        limits: the lowest and the highest value that a run can have, which is what a missing one might have been. None for an
            axis without, such as tokens or seconds: there, runs without a value are left out, and the numbers are about the
            others only.
        seed: of all draws.

    Raises:
        InputError: scipy is not installed, a run is there twice, a value lies outside the limits, or the level is none.
    """
    check_level(level)
    every_a, every_b = by_task(a), by_task(b)
    shared = sorted(every_a.keys() & every_b.keys())
    ours, theirs = ({task: every[task] for task in shared} for every in (every_a, every_b))
    _check_limits([*ours.values(), *theirs.values()], limits)
    measured = [task for task in shared if values_of(ours[task]) and values_of(theirs[task])]
    tasks = (shared if limits else measured) if measured else []
    lowest, highest = limits or (None, None)
    worst = lowest if better == "higher" else highest
    means_a, means_b = _means(ours, tasks, worst), _means(theirs, tasks, worst)
    differences = _differences(means_a, means_b)
    at_least = _differences(_means(ours, tasks, lowest), _means(theirs, tasks, highest))
    at_most = _differences(_means(ours, tasks, highest), _means(theirs, tasks, lowest))
    low, high = (bootstrap_ratio(_clusters(end), level, seed) for end in (at_least, at_most))
    possible = (differences, at_least, at_most)
    test = _test(ours, theirs, possible)
    p_value = _p_value(test, possible, seed)
    error = clustered_error([difference] for difference in differences.values())
    return Comparison(
        verdict=_verdict(low or _point(at_least), high or _point(at_most), p_value, level, better),
        difference=_mean(differences),
        a=_mean(means_a),
        b=_mean(means_b),
        error=error,
        interval=Interval(low.low, high.high) if low and high else None,
        p_value=p_value,
        test=test,
        detectable=standard_errors_to_see(level) * error if error else None,
        tasks=len(tasks),
        only_a=solved_by_one(ours, theirs),
        only_b=solved_by_one(theirs, ours),
        flips=flips(ours, theirs, measured),
        unpaired=tuple(sorted(every_a.keys() ^ every_b.keys())),
        unmeasured=tuple(task for task in shared if task not in measured),
        missing_a=missing(ours),
        missing_b=missing(theirs),
        reason=_reason(differences, at_least, at_most),
    )


def _check_limits(groups: Iterable[Sequence[Trial]], limits: tuple[float, float] | None) -> None:
    if limits and limits[0] >= limits[1]:
        raise InputError(f"limits of {limits[0]:g} to {limits[1]:g}: give the lowest value, then the highest")
    for trial in (trial for group in groups for trial in group):
        if limits and trial.value is not None and not limits[0] <= trial.value <= limits[1]:
            raise InputError(
                f"run {trial.run_id}: the value {trial.value:g} lies outside {limits[0]:g} to {limits[1]:g}; "
                "an axis without limits is compared with limits=None"
            )


def _means(tasks: Tasks, names: Iterable[str], missing_as: float | None) -> dict[str, Fraction]:
    """The mean of each task, its runs without a value taken for another or, with None, left out."""
    return {name: exact_mean(values_of(tasks[name], missing_as)) for name in names}


def _differences(a: Mapping[str, Fraction], b: Mapping[str, Fraction]) -> dict[str, float]:
    return {task: float(a[task] - b[task]) for task in a}


def _mean(values: Mapping[str, float | Fraction]) -> float | None:
    return float(exact_mean(list(values.values()))) if values else None


def _point(differences: Mapping[str, float]) -> Interval | None:
    """What stands for an interval where tasks show no spread: the p-value alone then says what the difference is worth."""
    mean = _mean(differences)
    return None if mean is None else Interval(mean, mean)


def _clusters(differences: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    return {task: (difference, 1.0) for task, difference in differences.items()}


def _test(ours: Tasks, theirs: Tasks, possible: Sequence[Mapping[str, float]]) -> Test | None:
    tasks = possible[0].keys()
    if not tasks:
        return None
    once = all(len(side[task]) == 1 for side in (ours, theirs) for task in tasks)
    seen = {difference for differences in possible for difference in differences.values()}
    return "mcnemar" if once and seen <= {-1.0, 0.0, 1.0} else "sign flip"


def _p_value(test: Test | None, possible: Sequence[Mapping[str, float]], seed: int) -> float | None:
    """The greatest of all differences that are possible; 1 if these lie on both sides of 0."""
    if test is None:
        return None
    totals = [math.fsum(differences.values()) for differences in possible]
    if min(totals) < 0 < max(totals):
        return 1.0
    return max(_chance(test, list(differences.values()), seed) for differences in possible)


def _chance(test: Test, differences: Sequence[float], seed: int) -> float:
    return (
        mcnemar(differences.count(1.0), differences.count(-1.0)) if test == "mcnemar" else sign_flip(differences, seed)
    )


def _verdict(
    low: Interval | None, high: Interval | None, p_value: float | None, level: float, better: Better
) -> Verdict:
    if low is None or high is None or p_value is None or p_value > 1 - level:
        return "not separable"
    if low.low > 0:
        return "a" if better == "higher" else "b"
    if high.high is not None and high.high < 0:
        return "b" if better == "higher" else "a"
    return "not separable"


def _reason(differences: Mapping[str, float], *ends: Mapping[str, float]) -> str | None:
    if not differences:
        return "no task has a value of both"
    return next((reason for end in ends if (reason := why_no_spread(_clusters(end))) is not None), None)
