"""How many tasks it takes to see a difference, and what difference so many tasks can show.

Miller, arXiv 2411.00640, section 5: n = (z_alpha/2 + z_beta)² (w² + s_A²/K_A + s_B²/K_B) / d².
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from ...traces import InputError
from ._interval import LEVEL, check_level

__all__ = ["POWER", "Design", "detectable_difference", "standard_errors_to_see", "tasks_needed"]

POWER: Final = 0.8
"""The chance to see a difference that is there, unless another is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Two systems on the same tasks: how far the difference of one task may lie from that of another."""

    between_tasks: float
    """w²: variance over tasks of the expected difference."""
    within_a: float
    """s_A²: variance of A's runs of one task, mean over tasks."""
    within_b: float
    """s_B²: the same of B's."""
    runs_a: float
    """K_A: A's runs of each task; infinity for none of that noise."""
    runs_b: float
    """K_B: B's."""

    def __post_init__(self) -> None:
        """Refuse what no design can be.

        Raises:
            InputError: a variance is below 0, or a task has less than one run.
        """
        if min(self.between_tasks, self.within_a, self.within_b) < 0:
            raise InputError("a variance lies below 0: give squares of standard deviations")
        if min(self.runs_a, self.runs_b) < 1:
            raise InputError(f"{self.runs_a:g} and {self.runs_b:g} runs of a task: there must be one of each at least")

    @property
    def variance(self) -> float:
        """Of the difference of two task means, over tasks."""
        return self.between_tasks + self.within_a / self.runs_a + self.within_b / self.runs_b


def tasks_needed(design: Design, difference: float, level: float = LEVEL, power: float = POWER) -> int | None:
    """How many tasks show a difference of this size; None for no difference, which no number of tasks shows.

    Args:
        design: the two systems.
        difference: of their means, in the unit of the values; its sign does not matter.
        level: of confidence of a two-sided test.
        power: the chance to see the difference if it is there.

    Raises:
        InputError: level or power is not between 0 and 1.
    """
    if difference == 0:
        return None
    return max(1, math.ceil((standard_errors_to_see(level, power) / difference) ** 2 * design.variance))


def detectable_difference(design: Design, tasks: int, level: float = LEVEL, power: float = POWER) -> float | None:
    """The smallest difference that so many tasks show; None without a task. Arguments and errors as for `tasks_needed`."""
    return standard_errors_to_see(level, power) * math.sqrt(design.variance / tasks) if tasks > 0 else None


def standard_errors_to_see(level: float = LEVEL, power: float = POWER) -> float:
    """How many standard errors a difference must have to be seen: z_alpha/2 + z_beta, of the normal distribution.

    Raises:
        InputError: level or power is not between 0 and 1.
    """
    check_level(level)
    check_level(power)
    return NormalDist().inv_cdf((1 + level) / 2) + NormalDist().inv_cdf(power)
