"""How far the forwarder's destinations are behind, by its checkpoints in the store."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

__all__ = ["export_lags"]

_EXPORTS: Final = ".exports"


def export_lags(store: Path) -> dict[str, tuple[int, float]]:
    """Bytes that each destination has not acknowledged, and seconds since its oldest checkpoint that is behind was written."""
    lags = {}
    with suppress(OSError):
        for destination in sorted((store / _EXPORTS).iterdir()):
            behind = list(_behind(store, destination))
            lags[destination.name] = sum(size for size, _ in behind), max((late for _, late in behind), default=0.0)
    return lags


def _behind(store: Path, destination: Path) -> Iterator[tuple[int, float]]:
    for checkpoint in destination.glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = orjson.loads(checkpoint.read_bytes())
            size = (store / told["journal"]).stat().st_size - told["offset"]
            if size > 0:
                yield size, max(0.0, time.time() - checkpoint.stat().st_mtime)
