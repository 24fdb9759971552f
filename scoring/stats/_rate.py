"""The share of runs that solved their task, with its denominators."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ...traces import InputError
from ._bootstrap import bootstrap_ratio, why_no_spread
from ._interval import LEVEL, Interval, check_level
from ._proportions import wilson
from ._resampling import SEED
from ._trials import Tasks, Trial, by_task, is_solved, missing

__all__ = ["Rate", "rate"]

_ENOUGH_COVERAGE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A share of runs that solved their task, with all its denominators."""

    value: float | None
    """What to show: of `strict` and `conditional` the one that `headline` names."""
    headline: Literal["strict", "conditional"]
    """`strict` while less than 95 % of what was planned was scored."""
    strict: float | None
    """Of all planned runs: one that says nothing counts as not solved. None if no run says anything."""
    conditional: float | None
    """Of the runs that were scored. None if none was. What is missing may raise it: rank by the interval's low end, which what
    is missing can only lower."""
    coverage: float | None
    """Scored of planned; None if nothing was planned."""
    interval: Interval | None
    """Low end: had all that is missing failed; high end: had all of it solved. With one run a task by Wilson, else by drawing
    tasks; None where the tasks do not tell, or none was asked for."""
    solved: int
    scored: int
    planned: int
    tasks: int
    reason: str | None
    """Why something above is None; None if nothing is, or only the interval because none was asked for."""


_Clusters = Mapping[str, tuple[int, int]]
"""By task how many of its runs solved it, and how many there are."""


def rate(trials: Iterable[Trial], planned: int | None = None, level: float | None = LEVEL, seed: int = SEED) -> Rate:
    """The share of runs that solved their task.

    Args:
        trials: all that were begun; a value of 1 is a solved task, a part of it is none.
        planned: how many there should be; None: as many as there are.
        level: of the interval; None for no interval, which is all that scipy is needed for.
        seed: of the draws.

    Raises:
        InputError: scipy is not installed, a run is there twice, fewer were planned than given, or the level is none.
    """
    if level is not None:
        check_level(level)
    tasks = by_task(trials)
    runs = sum(map(len, tasks.values()))
    whole = runs if planned is None else planned
    if whole < runs:
        raise InputError(f"{whole} runs planned, but {runs} given: plan for at least as many")
    scored = runs - missing(tasks)
    solved = sum(is_solved(trial) for group in tasks.values() for trial in group)
    strict, conditional = (solved / whole, solved / scored) if scored else (None, None)
    enough = scored >= _ENOUGH_COVERAGE * whole
    worst, best = (_as_if(tasks, whole - runs, solved=solved) for solved in (False, True))
    reason = _why_unclear(worst) or _why_unclear(best) if scored else "no run was scored"
    return Rate(
        value=conditional if enough else strict,
        headline="conditional" if enough else "strict",
        strict=strict,
        conditional=conditional,
        coverage=scored / whole if whole else None,
        interval=_hull(worst, best, level, seed) if reason is None and level is not None else None,
        solved=solved,
        scored=scored,
        planned=whole,
        tasks=len(tasks),
        reason=reason,
    )


def _as_if(tasks: Tasks, never_begun: int, *, solved: bool) -> _Clusters:
    """The counts if all runs without a value were solved, or none; each that never began is a task of its own."""
    counts = {task: sum(solved if t.value is None else is_solved(t) for t in group) for task, group in tasks.items()}
    known = {task: (count, len(tasks[task])) for task, count in counts.items()}
    return known | {f"\0{number}": (int(solved), 1) for number in range(never_begun)}


def _hull(worst: _Clusters, best: _Clusters, level: float, seed: int) -> Interval | None:
    one, other = (_interval(clusters, level, seed) for clusters in (worst, best))
    if one is None or other is None or one.high is None or other.high is None:
        return None
    return Interval(min(one.low, other.low), max(one.high, other.high))


def _interval(clusters: _Clusters, level: float, seed: int) -> Interval | None:
    independent = _as_independent(clusters)
    return bootstrap_ratio(clusters, level, seed) if independent is None else wilson(*independent, level)


def _why_unclear(clusters: _Clusters) -> str | None:
    return why_no_spread(clusters) if _as_independent(clusters) is None else None


def _as_independent(clusters: _Clusters) -> tuple[int, int] | None:
    """Successes and trials that are independent of one another; None where runs of one task are not.

    They are if each task was run once. Where all runs ended alike, a task tells as much as one run of it would.
    """
    solved, runs = (sum(counts[place] for counts in clusters.values()) for place in (0, 1))
    if runs == len(clusters):
        return solved, runs
    if len(clusters) > 1 and solved in (0, runs):
        return (len(clusters) if solved else 0), len(clusters)
    return None
