"""How far the destinations of an export are behind, by the checkpoints of their forwarders."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from .._otlp import decode_line
from .._reader import JOURNAL_NAME

__all__ = ["ExportLag", "export_lags"]

_EXPORTS: Final = ".exports"
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ExportLag:
    """How far one destination is behind."""

    bytes: int
    """Of journals, not acknowledged yet."""
    seconds: float
    """Since the end of the oldest span that is not acknowledged yet; 0 if all are."""


def export_lags(store: Path, sizes: Mapping[str, int], now_ns: int) -> dict[str, ExportLag]:
    """By destination, as its folder is called. Empty if nothing is exported.

    Args:
        store: the folder of all runs.
        sizes: up to where journals count, in bytes, by run id.
        now_ns: Unix time, nanoseconds.
    """
    with suppress(OSError):
        destinations = sorted(folder for folder in (store / _EXPORTS).iterdir() if folder.is_dir())
        return {folder.name: _lag(store, _offsets(folder), sizes, now_ns) for folder in destinations}
    return {}


def _offsets(destination: Path) -> dict[str, int]:
    """Up to where each journal is acknowledged, by its path from the store's folder."""
    offsets = {}
    for checkpoint in (destination / "checkpoints").glob("*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = orjson.loads(checkpoint.read_bytes())
            offsets[str(told["journal"])] = int(told["offset"])
    return offsets


def _lag(store: Path, offsets: Mapping[str, int], sizes: Mapping[str, int], now_ns: int) -> ExportLag:
    behind, oldest = 0, now_ns
    for run_id, size in sizes.items():
        offset = offsets.get(f"{run_id}/{JOURNAL_NAME}", 0)
        if offset < size:
            behind += size - offset
            oldest = min(oldest, _time_at(store / run_id / JOURNAL_NAME, offset, now_ns))
    return ExportLag(behind, (now_ns - oldest) / _NANOSECONDS)


def _time_at(journal: Path, offset: int, otherwise: int) -> int:
    """The end of the span whose line begins there, Unix time in nanoseconds."""
    with suppress(OSError, ValueError), journal.open("rb") as lines:
        lines.seek(offset)
        return max((span.end_ns for span in decode_line(lines.readline())), default=otherwise)
    return otherwise
