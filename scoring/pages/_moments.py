"""The clock of a page: moments as milliseconds since the run's start."""

from dataclasses import dataclass
from typing import Final

from .._record import RunRecord
from ..axes._windows import find_windows

__all__ = ["Moments", "moments_of"]

_MILLISECOND: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The time of a run. Unix time, nanoseconds."""

    start_ns: int
    end_ns: int
    """The run's end, or the last moment that the record knows of."""

    def at(self, moment_ns: int) -> float:
        """Milliseconds since the start."""
        return (moment_ns - self.start_ns) / _MILLISECOND

    @property
    def origin_ms(self) -> float:
        """Unix time of the start, milliseconds."""
        return self.start_ns / _MILLISECOND

    @property
    def wall_ms(self) -> float:
        """How long it took, milliseconds."""
        return self.at(self.end_ns)


def moments_of(record: RunRecord) -> Moments:
    """The time of a run as the latency axis has it, so that the parts of it add up to the whole."""
    window = find_windows(record.run).run
    if window is None:
        return Moments(start_ns=record.run.start_ns, end_ns=record.run.start_ns)
    return Moments(start_ns=window.start, end_ns=window.end)
