"""The numbers of calls in the families that Prometheus reads."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from ..traces.metrics import ExportLag, Histogram, Labels, StoreFollower

if TYPE_CHECKING:
    from collections import Counter

    from prometheus_client import Metric

__all__ = ["Drops", "families"]

_OF: Final = ("api", "model")
_DURATIONS: Final = {
    "duration": ("operation_duration", "From a call's head to the end of the exchange."),
    "time_to_headers": ("operation_time_to_headers", "From the sending of a request to the head of its answer."),
    "time_to_first_chunk": (
        "operation_time_to_first_chunk",
        "From the sending of a request to the first byte of a body.",
    ),
    "time_to_first_token": ("operation_time_to_first_token", "From the sending of a request to the first content."),
    "overhead": ("proxy_overhead", "What the proxy itself added before the first byte went out."),
}


class Drops(Protocol):
    """What is lost, or at stake, of the recording."""

    @property
    def unwritten(self) -> int:
        """Journal lines that wait in memory for a disk that cannot take them."""

    @property
    def lost(self) -> int:
        """Journal lines that were waiting so when their process died."""


def families(follower: StoreFollower, drops: Drops, export_lags: Mapping[str, ExportLag]) -> "Iterator[Metric]":
    """All families as they stand.

    Args:
        follower: has read what is to be told.
        drops: of the processes that record.
        export_lags: how far each destination is behind.
    """
    fold = follower.fold
    yield _counter("calls", "Calls that ended.", (*_OF, "outcome", "status_class"), fold.calls)
    yield _counter("call_errors", "Calls with an error, by error.type.", (*_OF, "error_type"), fold.errors)
    yield _counter("token_usage", "Tokens that were told.", (*_OF, "token_type", "usage_source"), fold.tokens)
    yield _counter("calls_without_usage", "Calls of which no usage is known.", _OF, fold.without_usage)
    yield _counter("call_amendments", "Ended calls of which more was learnt.", ("outcome",), fold.amendments)
    yield _counter("request_bytes", "Bytes of requests' bodies.", _OF, fold.request_bytes)
    yield _counter("response_bytes", "Bytes of answers' bodies.", _OF, fold.response_bytes)
    for name, (family, help_text) in _DURATIONS.items():
        yield _histogram(f"{family}_seconds", help_text, fold.durations[name].items())
    yield _gauge("calls_open", "Calls announced and not ended.", fold.calls_open)
    yield _gauge("streams_open", "Open calls that are to be answered by a stream.", fold.streams_open)
    yield _gauge("runs_open", "Runs seen and not sealed.", fold.runs_open)
    yield _gauge("journal_newest_timestamp_seconds", "End of the newest span read.", follower.newest_ns / 1e9)
    yield _gauge("journal_lag_seconds", "How far these numbers are behind.", follower.lag(time.time_ns()))
    yield _gauge("journal_unread_bytes", "Bytes of journals not yet in these numbers.", follower.unread_bytes)
    yield from _export_lags(export_lags)
    yield _gauge("journal_unwritten_lines", "Lines that wait for a full disk: must be 0.", drops.unwritten)
    yield _total("journal_lost_lines", "Lines that died with their process: must be 0.", drops.lost)
    yield _total("calls_bodies_lost", "Calls whose bodies could not be kept: must be 0.", fold.bodies_lost)


def _export_lags(lags: Mapping[str, ExportLag]) -> "Iterator[Metric]":
    behind = GaugeMetricFamily(
        "tachograph_export_lag_bytes", "Bytes of journals not yet acknowledged.", labels=["destination"]
    )
    late = GaugeMetricFamily(
        "tachograph_export_lag_seconds",
        "Age of the oldest span not yet acknowledged.",
        labels=["destination"],
    )
    for destination, lag in lags.items():
        behind.add_metric([destination], lag.bytes)
        late.add_metric([destination], lag.seconds)
    yield from (behind, late)


def _counter(name: str, help_text: str, labels: Labels, counts: "Counter[Labels]") -> CounterMetricFamily:
    family = CounterMetricFamily(f"tachograph_{name}", help_text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _total(name: str, help_text: str, count: int) -> CounterMetricFamily:
    return CounterMetricFamily(f"tachograph_{name}", help_text, value=count)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tachograph_{name}", help_text, value=value)


def _histogram(name: str, help_text: str, histograms: Iterable[tuple[Labels, Histogram]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"tachograph_{name}", help_text, labels=_OF)
    for values, histogram in histograms:
        family.add_metric(values, buckets=histogram.cumulated(), sum_value=histogram.sum)
    return family
