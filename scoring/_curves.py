"""Curves: from an axis's value to an efficiency between 0 and 1. A profile names one and gives its parameters."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CURVES", "Curve", "Direction", "relative_log"]

Direction = Literal["rising", "falling"]


@dataclass(frozen=True, slots=True)
class Curve:
    """A monotone function; `scale` is in the axis's unit."""

    direction: Direction
    at: Callable[[float, float], float]
    """The efficiency at a value, given the scale."""


CURVES: Final[Mapping[str, Curve]] = {
    "identity": Curve("rising", lambda value, _scale: value),
    "complement": Curve("falling", lambda value, _scale: 1 - value),
    # That of CodingAgentBench's published cells: 1 at 0, 0.77 at the scale, falling ever slower.
    "log_decay": Curve("falling", lambda value, scale: 1 / (1 + math.log10(1 + value / scale))),
}
"""By the name that a profile uses."""


def relative_log(value: float, budget: float, reference: float) -> float:
    """1 at the best value known and below, 0 at the budget and beyond, logarithmic between.

    Args:
        value: such as milliseconds, above 0.
        budget: beyond it a run earns nothing.
        reference: of the best run known; below the budget, above 0.
    """
    if value <= reference:
        return 1.0
    return max(0.0, math.log(budget / value) / math.log(budget / reference))
