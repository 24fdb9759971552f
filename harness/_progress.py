"""How far a long command is, on a terminal, and nothing anywhere else."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

__all__ = ["with_progress"]

_T = TypeVar("_T")
_REFRESH: Final = 0.25
"""Seconds between two looks."""


def with_progress(items: Iterable[_T], total: int, what: str) -> Iterator[_T]:
    """The items as they come, counted on standard error if that is a terminal: `12 of 40 runs`."""
    if not sys.stderr.isatty():
        yield from items
        return
    shown = begin = time.monotonic()
    try:
        for count, item in enumerate(items, 1):
            yield item
            if time.monotonic() - shown > _REFRESH:
                shown = time.monotonic()
                print(f"\r{count} of {total} {what}\033[K", end="", file=sys.stderr, flush=True)
    finally:
        if shown > begin:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
