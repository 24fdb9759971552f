"""Lanes of a timeline: spans that overlap stand in different ones, and a span's own stand below it."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Stretch", "assign_lanes"]


class Stretch(NamedTuple):
    """From `start` to `end`, which is left out; without a length it takes the least there is."""

    start: int
    end: int
    parent: int | None
    """Its parent's place among the others; None if it has none."""


def assign_lanes(stretches: Sequence[Stretch]) -> list[int]:
    """The lane of each, from 0: the first below its parent's in which there is room.

    Of parents that go in a circle one counts as having none.
    """
    depths = _depths(stretches)
    lanes: defaultdict[int, _Lane] = defaultdict(_Lane)
    chosen = [0] * len(stretches)
    for place in sorted(range(len(stretches)), key=lambda place: (depths[place], stretches[place].start, place)):
        start, end, parent = stretches[place]
        lane = chosen[parent] + 1 if parent is not None and depths[place] else 0
        while not lanes[lane].take(start, max(end, start + 1)):
            lane += 1
        chosen[place] = lane
    return chosen


class _Lane:
    """Stretches of time in their order, none of which overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def take(self, start: int, end: int) -> bool:
        """Put a stretch here, if there is room for it."""
        place = bisect_left(self._starts, start)
        if place < len(self._starts) and self._starts[place] < end:
            return False
        if place and self._ends[place - 1] > start:
            return False
        self._starts.insert(place, start)
        self._ends.insert(place, end)
        return True


def _depths(stretches: Sequence[Stretch]) -> list[int]:
    """How many parents each has above it."""
    depths: dict[int, int] = {}
    for place in range(len(stretches)):
        path: dict[int, None] = {}
        at: int | None = place
        while at is not None and at not in depths and at not in path:
            path[at] = None
            at = stretches[at].parent
        depth = depths.get(at, -1) if at is not None else -1
        for below in reversed(path):
            depth += 1
            depths[below] = depth
    return [depths[place] for place in range(len(stretches))]
