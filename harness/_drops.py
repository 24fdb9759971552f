"""What recording processes hold that is not on disk, told to the process of the metrics by memory that they share."""

import asyncio
import ctypes
import multiprocessing
from collections.abc import Callable
from typing import Final

__all__ = ["DropBoard"]

_PAUSE: Final = 0.5
"""Seconds between two looks."""


class DropBoard:
    """A number for each recording process, which it alone writes, and only when it changes. Processes inherit the board."""

    def __init__(self, processes: int) -> None:
        """Make room for so many."""
        self._waiting = multiprocessing.get_context("spawn").RawArray(ctypes.c_uint64, processes + 1)

    @property
    def unwritten(self) -> int:
        """Journal lines that wait in memory for a disk that cannot take them."""
        return sum(self._waiting[1:])

    @property
    def lost(self) -> int:
        """Journal lines that were waiting so when their process died."""
        return int(self._waiting[0])

    def lose(self, process: int) -> None:
        """Take note that a process, by its number from 0, died with what it held."""
        self._waiting[0] += self._waiting[process + 1]
        self._waiting[process + 1] = 0

    async def keep(self, process: int, unwritten: Callable[[], int]) -> None:
        """Tell what a process holds, for as long as it lives."""
        known = 0
        while True:
            if (now := unwritten()) != known:
                known = self._waiting[process + 1] = now
            await asyncio.sleep(_PAUSE)
