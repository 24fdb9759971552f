"""Tasks on which two systems differ."""

from collections.abc import Iterable
from dataclasses import dataclass

from ._means import exact_mean
from ._trials import Tasks, is_solved, values_of

__all__ = ["Flip", "flips", "solved_by_one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A task on which two systems differ."""

    task: str
    a: float
    """Mean of A's values."""
    b: float


def flips(a: Tasks, b: Tasks, tasks: Iterable[str]) -> tuple[Flip, ...]:
    """Of some tasks, of which both sides have a value, those at which the means of these differ."""
    means = {task: tuple(exact_mean(values_of(side[task])) for side in (a, b)) for task in tasks}
    return tuple(Flip(task=task, a=float(one), b=float(other)) for task, (one, other) in means.items() if one != other)


def solved_by_one(one: Tasks, other: Tasks) -> tuple[str, ...]:
    """Tasks that one side solved at least once and the other, all of whose runs have a value, never."""
    return tuple(
        task
        for task in sorted(one.keys() & other.keys())
        if any(map(is_solved, one[task])) and all(t.value is not None and not is_solved(t) for t in other[task])
    )
