"""One run as statistics see it, and runs by task."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...traces import InputError

__all__ = ["Tasks", "Trial", "by_task", "is_solved", "missing", "values_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run of one task. A run that was planned and never began is one, too: without a value."""

    task: str
    run_id: str
    value: float | None
    """Of one axis: such as 1 for passed, 0 for failed. None: the run says nothing (the provider failed, there was no check),
    or no more than a bound."""
    amount: float | None = None
    """What the run used, such as tokens or USD; None if that is not known."""
    amount_bound: Literal["exact", "lower", "upper"] = "exact"
    """`lower`: it used that much or more. An upper bound is counted as not known."""

    def __post_init__(self) -> None:
        """Refuse what is no number.

        Raises:
            InputError: value or amount is not finite, or the amount is below 0.
        """
        for name, number in (("value", self.value), ("amount", self.amount)):
            if number is not None and not math.isfinite(number):
                raise InputError(f"run {self.run_id}: the {name} {number} is no number; None is for what is not known")
        if self.amount is not None and self.amount < 0:
            raise InputError(f"run {self.run_id}: used {self.amount:g}, which is below 0")


Tasks = Mapping[str, Sequence[Trial]]
"""The runs of each task, both in the order of their names."""


def by_task(trials: Iterable[Trial]) -> dict[str, tuple[Trial, ...]]:
    """Trials by task, both in the order of their names whatever order they came in.

    Raises:
        InputError: a run is there twice.
    """
    tasks: dict[str, list[Trial]] = {}
    seen: set[str] = set()
    for trial in sorted(trials, key=lambda trial: (trial.task, trial.run_id)):
        if trial.run_id in seen:
            raise InputError(f"run {trial.run_id}: given more than once; each run counts once")
        seen.add(trial.run_id)
        tasks.setdefault(trial.task, []).append(trial)
    return {task: tuple(group) for task, group in tasks.items()}


def is_solved(trial: Trial) -> bool:
    """Whether the run is known to have solved its task: a part of a pass is none, and neither is a missing value."""
    return trial.value is not None and trial.value >= 1


def values_of(trials: Iterable[Trial], missing_as: float | None = None) -> list[float]:
    """Their values; a missing one is taken for another or, with None, left out."""
    values = (missing_as if trial.value is None else trial.value for trial in trials)
    return [value for value in values if value is not None]


def missing(tasks: Tasks) -> int:
    """How many runs have no value."""
    return sum(trial.value is None for group in tasks.values() for trial in group)
