"""An interval of confidence."""

from dataclasses import dataclass
from typing import Final

from ...traces import InputError

__all__ = ["LEVEL", "Interval", "check_level"]

LEVEL: Final = 0.95
"""Of confidence, unless another is asked for."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What the true value lies in, at the level of confidence that was asked for. Both ends belong to it."""

    low: float
    high: float | None
    """None: the data set no end on this side."""

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        return self.low <= value and (self.high is None or value <= self.high)


def check_level(level: float) -> None:
    """Refuse what is no level of confidence.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise InputError(f"a level of confidence of {level:g}: must lie between 0 and 1, such as 0.95")
