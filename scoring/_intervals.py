"""Arithmetic of time: sets of half-open intervals of integers.

A set is a tuple of `Interval` in order, none empty, no two that touch or overlap: the same instants have one form only, so
sets compare by `==`, and lengths add up to the last nanosecond.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Interval", "clip", "hull", "intersection", "length", "subtract", "union"]


class Interval(NamedTuple):
    """From `start`, included, to `end`, excluded, in any one unit. With `end <= start` it holds nothing."""

    start: int
    end: int


def union(*sets: Iterable[Interval]) -> tuple[Interval, ...]:
    """What lies in any of some intervals, in whatever order they come and however they overlap."""
    merged: list[Interval] = []
    for start, end in sorted(interval for some in sets for interval in some):
        if end <= start:
            continue
        if merged and start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Interval(start, end))
    return tuple(merged)


def intersection(one: Iterable[Interval], other: Iterable[Interval]) -> tuple[Interval, ...]:
    """What lies in both."""
    first, second = union(one), union(other)
    common: list[Interval] = []
    at = below = 0
    while at < len(first) and below < len(second):
        start = max(first[at].start, second[below].start)
        end = min(first[at].end, second[below].end)
        if start < end:
            common.append(Interval(start, end))
        if first[at].end < second[below].end:
            at += 1
        else:
            below += 1
    return tuple(common)


def subtract(one: Iterable[Interval], *others: Iterable[Interval]) -> tuple[Interval, ...]:
    """What lies in the first and in none of the others."""
    kept = union(one)
    taken = union(*others)
    if not kept:
        return ()
    edges = [kept[0].start, *(edge for interval in taken for edge in interval), kept[-1].end]
    gaps = [Interval(start, end) for start, end in list(pairwise(edges))[::2]]
    return intersection(kept, gaps)


def clip(intervals: Iterable[Interval], window: Interval) -> tuple[Interval, ...]:
    """What lies in one window."""
    return intersection(intervals, (window,))


def hull(intervals: Iterable[Interval]) -> Interval | None:
    """The shortest interval that holds them all; None if they hold nothing."""
    merged = union(intervals)
    return Interval(merged[0].start, merged[-1].end) if merged else None


def length(intervals: Iterable[Interval]) -> int:
    """How long they are together; what lies in several of them counts once."""
    return sum(end - start for start, end in union(intervals))
