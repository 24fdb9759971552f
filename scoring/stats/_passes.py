"""Passing at least once in k attempts, passing in all of k, and passing only sometimes.

pass@k: Chen et al., arXiv 2107.03374: the unbiased estimate 1 - C(n-c,k)/C(n,k). pass^k: Yao et al., arXiv 2406.12045:
C(c,k)/C(n,k). Both for n attempts of which c passed; computed without rounding until the end.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ...traces import InputError
from ._trials import Trial, by_task, is_solved, missing

__all__ = ["OverTasks", "flakiness", "mean_pass_at", "mean_pass_power", "pass_at", "pass_power"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTasks:
    """A mean over tasks, each of which weighs the same."""

    value: float | None
    """None if no task has enough runs, or no run has a value."""
    is_lower_bound: bool
    """Some run has no value: the mean would be as much or more with it."""
    tasks: int
    """How many it is the mean of."""
    left_out: int
    """Tasks with fewer runs than it takes."""
    missing: int
    """Runs without a value."""
    reason: str | None
    """Why there is no value; None if there is one."""
    by_task: Mapping[str, float | None] = field(default_factory=dict)
    """None for a task that is left out."""


def pass_at(attempts: int, passed: int, k: int) -> float | None:
    """The chance that one of k attempts passes; None with fewer than k attempts. Raises InputError for impossible counts."""
    chance = _pass_at(attempts, passed, k)
    return None if chance is None else float(chance)


def pass_power(attempts: int, passed: int, k: int) -> float | None:
    """The chance that all of k attempts pass; None with fewer than k attempts. Raises InputError for impossible counts."""
    chance = _pass_power(attempts, passed, k)
    return None if chance is None else float(chance)


def mean_pass_at(trials: Iterable[Trial], k: int) -> OverTasks:
    """The mean of `pass_at` over tasks. A run without a value is an attempt that did not pass: it raises nothing.

    Raises:
        InputError: k is below 1, or a run is there twice.
    """
    return _over_tasks(trials, lambda group: _pass_at(len(group), sum(map(is_solved, group)), k), f"{k} runs")


def mean_pass_power(trials: Iterable[Trial], k: int) -> OverTasks:
    """The mean of `pass_power` over tasks. A run without a value is an attempt that did not pass: it raises nothing.

    Raises:
        InputError: k is below 1, or a run is there twice.
    """
    return _over_tasks(trials, lambda group: _pass_power(len(group), sum(map(is_solved, group)), k), f"{k} runs")


def flakiness(trials: Iterable[Trial]) -> OverTasks:
    """The share of tasks that are solved sometimes and not always, of those with two runs or more that have a value.

    Raises:
        InputError: a run is there twice.
    """
    return _over_tasks(trials, _is_flaky, "two runs that have a value")


def _pass_at(attempts: int, passed: int, k: int) -> Fraction | None:
    _check(attempts, passed, k)
    return 1 - Fraction(math.comb(attempts - passed, k), math.comb(attempts, k)) if k <= attempts else None


def _pass_power(attempts: int, passed: int, k: int) -> Fraction | None:
    _check(attempts, passed, k)
    return Fraction(math.comb(passed, k), math.comb(attempts, k)) if k <= attempts else None


def _is_flaky(group: Sequence[Trial]) -> Fraction | None:
    known = [is_solved(trial) for trial in group if trial.value is not None]
    return Fraction(0 < sum(known) < len(known)) if len(known) > 1 else None


def _check(attempts: int, passed: int, k: int) -> None:
    if k < 1:
        raise InputError(f"k is {k}: ask for at least 1 attempt")
    if not 0 <= passed <= attempts:
        raise InputError(f"{passed} of {attempts} attempts passed: there can be none to all of them")


def _over_tasks(
    trials: Iterable[Trial], estimate: Callable[[Sequence[Trial]], Fraction | None], needed: str
) -> OverTasks:
    tasks = by_task(trials)
    found = {task: estimate(group) for task, group in tasks.items()}
    known = [value for value in found.values() if value is not None]
    without = missing(tasks)
    nothing = without == sum(map(len, tasks.values()))
    mean = float(sum(known, Fraction()) / len(known)) if known and not nothing else None
    why = "no run has a value" if nothing else f"no task has {needed}"
    return OverTasks(
        value=mean,
        is_lower_bound=mean is not None and without > 0,
        tasks=len(known),
        left_out=len(found) - len(known),
        missing=without,
        reason=why if mean is None else None,
        by_task={task: None if value is None else float(value) for task, value in found.items()},
    )
