"""What is measured, as tables: the loads, the columns read off them, and the targets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tests.benchmarks._load import Load, Outcome

__all__ = ["MEASURES", "TARGETS", "WARM_UP", "Measure", "Sample", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement of one contestant."""

    load: Load
    outcome: Outcome
    seconds: float
    """How long it took, the load generator's start included."""
    proxy_cpu: float | None
    """Seconds of CPU of all of the proxy's processes; None if there is no proxy, here and below."""
    load_cpu: float
    """Seconds of CPU of upstream and load generator."""
    memory_growth: int | None
    """Bytes of memory at the worst moment, over those before."""
    others_on_proxy_core: float
    """Share of the core that processes outside the benchmark used."""
    others_on_load_core: float
    stolen: float
    """Share of the two cores that other virtual machines took."""


Column = Callable[[Sample], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One table of the report."""

    title: str
    load: Load
    quick_load: Load
    columns: Mapping[str, Column]
    compared: str
    """The column of ratio and spread."""
    added: tuple[str, ...] = ()
    """Columns of which is also told what a proxy adds to `direct`."""
    watches_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What tachograph is to reach in the median over the rounds."""

    what: str
    measure: str
    column: str
    limit: float
    at_least: bool = False
    added: bool = False
    """What is added to `direct` counts."""

    def missed_by(self, value: float) -> float:
        """How far a value is from the target; 0 or less if it is reached."""
        return self.limit - value if self.at_least else value - self.limit


def _milliseconds(moment: str) -> Column:
    def column(sample: Sample) -> float | None:
        seconds = getattr(sample.outcome, moment)
        return None if seconds is None else seconds * 1e3

    return column


def _cpu_ms_per_call(sample: Sample) -> float | None:
    return None if sample.proxy_cpu is None else sample.proxy_cpu * 1e3 / max(1, sample.outcome.good)


def _cpu_us_per_chunk(sample: Sample) -> float | None:
    chunks = max(1, sample.outcome.good * sample.load.chunks)
    return None if sample.proxy_cpu is None else sample.proxy_cpu * 1e6 / chunks


def _proxy_core(sample: Sample) -> float | None:
    return None if sample.proxy_cpu is None else 100 * sample.proxy_cpu / sample.seconds


def _load_core(sample: Sample) -> float:
    return 100 * sample.load_cpu / sample.seconds


def _per_second(sample: Sample) -> float:
    return sample.outcome.per_second


def _chunks_per_second(sample: Sample) -> float:
    return sample.outcome.per_second * sample.load.chunks


def _kib_per_stream(sample: Sample) -> float | None:
    return None if sample.memory_growth is None else sample.memory_growth / 1024 / max(1, sample.outcome.most_open)


def _most_open(sample: Sample) -> float:
    return sample.outcome.most_open


WARM_UP: Final = (
    Load(agents=4, calls=100, first_number=10**9),
    Load(agents=4, calls=40, chunks=5, pace_ms=1, first_number=10**9),
)
"""Put on each contestant before it is measured."""

_CORES: Final[Mapping[str, Column]] = {"proxy core %": _proxy_core, "load core %": _load_core}
_WHOLE: Final[Mapping[str, Column]] = {"p50 ms": _milliseconds("whole_p50"), "p99 ms": _milliseconds("whole_p99")}
_FIRST: Final[Mapping[str, Column]] = {"p50 ms": _milliseconds("first_p50"), "p99 ms": _milliseconds("first_p99")}
_SEQUENTIAL: Final = Load(calls=2000)
_BUSY: Final = Load(agents=64, seconds=5.0)
_ONE_STREAM: Final = Load(calls=40, chunks=50, pace_ms=5)
_BUSY_STREAMS: Final = Load(agents=64, seconds=5.0, chunks=200)
_MANY_STREAMS: Final = Load(agents=500, calls=500, ramp=1.0, chunks=100, pace_ms=50)

MEASURES: Final[Mapping[str, Measure]] = {
    "latency": Measure(
        title="latency: 1 connection, one call after the other, 20 KB question, 2 KB JSON answer",
        load=_SEQUENTIAL,
        quick_load=replace(_SEQUENTIAL, calls=500),
        columns={**_WHOLE, "CPU ms/call": _cpu_ms_per_call},
        compared="p50 ms",
        added=("p50 ms", "p99 ms"),
    ),
    "throughput": Measure(
        title="throughput: 64 connections, 20 KB question, 2 KB JSON answer, the proxy alone on one core",
        load=_BUSY,
        quick_load=replace(_BUSY, seconds=1.5),
        columns={"calls/s": _per_second, **_WHOLE, "CPU ms/call": _cpu_ms_per_call, **_CORES},
        compared="calls/s",
    ),
    "first-chunk": Measure(
        title="time to first chunk: 1 connection, streams of 50 chunks, 5 ms apart",
        load=_ONE_STREAM,
        quick_load=replace(_ONE_STREAM, calls=5),
        columns={**_FIRST, "CPU us/chunk": _cpu_us_per_chunk},
        compared="p50 ms",
        added=("p50 ms", "p99 ms"),
    ),
    "chunks": Measure(
        title="chunks: 64 connections, streams of 200 chunks of 250 bytes, unpaced",
        load=_BUSY_STREAMS,
        quick_load=replace(_BUSY_STREAMS, seconds=1.5),
        columns={"chunks/s": _chunks_per_second, "CPU us/chunk": _cpu_us_per_chunk, **_CORES},
        compared="CPU us/chunk",
    ),
    "memory": Measure(
        title="memory: 500 streams open at once, of 100 chunks, 50 ms apart",
        load=_MANY_STREAMS,
        quick_load=_MANY_STREAMS,
        columns={
            "KiB/stream": _kib_per_stream,
            "open at once": _most_open,
            "first chunk p99 ms": _milliseconds("first_p99"),
            "CPU us/chunk": _cpu_us_per_chunk,
            **_CORES,
        },
        compared="KiB/stream",
        watches_memory=True,
    ),
}

TARGETS: Final = (
    Target(what="added latency p50, ms", measure="latency", column="p50 ms", limit=0.6, added=True),
    Target(what="calls a second on one core", measure="throughput", column="calls/s", limit=2500, at_least=True),
    Target(what="CPU per streamed chunk, us", measure="chunks", column="CPU us/chunk", limit=25),
    Target(what="memory per open stream, KiB", measure="memory", column="KiB/stream", limit=60),
)
