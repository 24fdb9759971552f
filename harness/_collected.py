"""Runs that do not lie in folders of their own: in a Collector's files, or in a table of spans."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from ..traces import Run, RunHead, RunSource

__all__ = ["CollectedRun", "RunPlace", "read_collected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedRun:
    """A run in a place that holds runs and is no folder of them."""

    where: str
    """The place, as it was named."""
    name: str
    """The run's id."""
    source: RunSource = field(repr=False, compare=False)
    head: RunHead = field(repr=False, compare=False)


RunPlace = Path | CollectedRun
"""Where a run is read from: its folder, a file of spans, or one run of many in a place."""


def read_collected(runs: Sequence[CollectedRun]) -> Iterator[Run]:
    """Runs, whole, in the order given; those of one place together.

    Raises:
        InputError: one is not there any more.
        StoreError: a place cannot be read.
    """
    for _, group in groupby(runs, key=lambda run: run.where):
        same = list(group)
        yield from same[0].source.read(run.head for run in same)
