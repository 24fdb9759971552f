"""What is counted: sums and histograms by labels, and labels of bounded number."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

__all__ = ["OTHER", "Histogram", "Labels", "Vocabulary"]

Labels = tuple[str, ...]
"""Values of labels, in the order of their family's names."""
OTHER: Final = "other"
"""Stands for all values beyond those that a label may have."""


class Vocabulary:
    """The values that a label has had so far. What agents and upstreams say has no end: a label's values must."""

    def __init__(self, most: int) -> None:
        """Allow so many; later ones are `OTHER`."""
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str | None) -> str:
        """The value of the label: empty for None."""
        if value is None or value in self._known:
            return value or ""
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


class Histogram:
    """How many values lie at or below each of some bounds."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """Take the bounds, ascending; one for all that is greater is added."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """By bucket, not cumulated."""
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulated(self) -> list[tuple[str, int]]:
        """Bounds as Prometheus writes them, with how many values are at or below each."""
        total, buckets = 0, []
        for bound, count in zip((*map(repr, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets
