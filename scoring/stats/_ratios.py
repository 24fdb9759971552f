"""What a solved task costs: all that was used over all that was solved, failures included."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ._bootstrap import bootstrap_ratio, why_no_spread
from ._interval import LEVEL, Interval, check_level
from ._resampling import SEED
from ._trials import Trial, by_task, is_solved

__all__ = ["PerSolved", "per_solved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PerSolved:
    """An amount for each solved task, in the unit of the amounts."""

    value: float | None
    """None if nothing was solved, or no run tells what it used."""
    is_lower_bound: bool
    """Some run does not tell all that it used, so that it is as much or more."""
    interval: Interval | None
    """By drawing tasks. Its high end is None where some run does not tell all, or where too many draws solve nothing."""
    total: float | None
    """Of all amounts that are told; None if none is."""
    solved: int
    runs: int
    untold: int
    """Runs that do not tell what they used, or tell no more than a bound."""
    reason: str | None
    """Why something above is None; None if nothing is, or only the interval because none was asked for."""


def per_solved(trials: Iterable[Trial], level: float | None = LEVEL, seed: int = SEED) -> PerSolved:
    """All amounts over the number of runs that solved their task, never a mean over these runs: that leaves failures out.

    Args:
        trials: all runs, whatever became of them: each counts with what it used.
        level: of the interval; None for no interval, which is all that scipy is needed for.
        seed: of the draws.

    Raises:
        InputError: scipy is not installed, a run is there twice, or the level is none.
    """
    if level is not None:
        check_level(level)
    tasks = by_task(trials)
    runs = [trial for group in tasks.values() for trial in group]
    told = [amount for trial in runs if (amount := _told(trial)) is not None]
    untold = sum(trial.amount is None or trial.amount_bound != "exact" for trial in runs)
    solved = sum(map(is_solved, runs))
    total = math.fsum(told) if told else None
    value = total / solved if total is not None and solved else None
    clusters = {task: (_sum(group), sum(map(is_solved, group))) for task, group in tasks.items()}
    found = bootstrap_ratio(clusters, level, seed) if value is not None and level is not None else None
    reasons = {
        "no run tells what it used": not told,
        "no task was solved": not solved,
        why_no_spread(clusters): why_no_spread(clusters) is not None,
        "what some runs used is not known, so there is no high end": untold > 0,
        "too many draws of tasks solve nothing, so there is no high end": found is not None and found.high is None,
    }
    return PerSolved(
        value=value,
        is_lower_bound=value is not None and untold > 0,
        interval=Interval(found.low, None) if found is not None and untold else found,
        total=total,
        solved=solved,
        runs=len(runs),
        untold=untold,
        reason=next((reason for reason, holds in reasons.items() if holds), None),
    )


def _told(trial: Trial) -> float | None:
    return trial.amount if trial.amount_bound != "upper" else None


def _sum(group: Sequence[Trial]) -> float:
    """Of what is told: a lower bound where not all is."""
    return math.fsum(amount for trial in group if (amount := _told(trial)) is not None)
