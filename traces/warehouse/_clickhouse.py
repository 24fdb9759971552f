"""Runs in the table `otel_traces`, as a Collector's `clickhouse` exporter writes it.

The table does not know runs, and does not drop what was sent twice. First it is asked which traces hold spans of this
project, by columns that are small; then for some of them at a time, in the time in which they were, trace after trace. So a
million runs need no more memory than a few, here and there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

import orjson

from .. import _names as names
from .._errors import StoreError
from .._otlp import SpanRecord
from .._run import Run
from ._clickhouse_server import ClickHouseServer
from ._map_values import typed_attributes
from ._source import HEAD_ATTRIBUTES, RunHead, run_of

__all__ = ["ClickHouseRuns", "span_from_row"]

_AT_ONCE: Final = 32
"""Runs that are asked for together."""
_MARGIN_NS: Final = 3_600_000_000_000
"""How far outside the times of a run's own spans those of other tools in its trace may be."""
_HUGE: Final = 2**63
_STATUS: Final = {"unset": 0, "ok": 1, "error": 2}

_HEADS: Final = """
SELECT TraceId, First, Last, RunId, Told
FROM (
    SELECT TraceId, toString(toUnixTimestamp64Nano(min(Timestamp))) AS First,
        toString(toUnixTimestamp64Nano(max(Timestamp))) AS Last, min(Timestamp) AS Began
    FROM `{table}` WHERE ScopeName = '{scope}' GROUP BY TraceId
) AS seen
LEFT JOIN (
    SELECT TraceId, any(SpanAttributes['{run_id}']) AS RunId, any([{told}]) AS Told
    FROM `{table}` WHERE SpanName = '{start}' AND ScopeName = '{scope}' GROUP BY TraceId
) AS announced USING (TraceId)
ORDER BY Began, TraceId
FORMAT JSONEachRow
"""
_SPANS: Final = """
SELECT TraceId, SpanId, ParentSpanId, SpanName, toString(toUnixTimestamp64Nano(Timestamp)) AS Start,
    toString(Duration) AS Nanoseconds, StatusCode, StatusMessage, ResourceAttributes, ScopeName, SpanAttributes
FROM `{table}`
WHERE TraceId IN {{traces:Array(String)}}
    AND Timestamp BETWEEN fromUnixTimestamp64Nano({{first:Int64}}) AND fromUnixTimestamp64Nano({{last:Int64}})
ORDER BY indexOf({{traces:Array(String)}}, TraceId)
LIMIT 1 BY TraceId, SpanId
FORMAT JSONEachRow
"""


class _Place(NamedTuple):
    trace_id: str
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class ClickHouseRuns:
    """The runs of a table. Of other tools' spans those are read that are in the trace of a run."""

    server: ClickHouseServer

    def heads(self) -> Iterator[RunHead]:
        """As `RunSource`; in the order of their beginnings."""
        query = _HEADS.format(
            table=self.server.table,
            scope=names.SCOPE,
            start=names.RUN + names.START_SUFFIX,
            run_id=names.RUN_ID,
            told=", ".join(f"SpanAttributes['{name}']" for name in HEAD_ATTRIBUTES),
        )
        for row in self._rows(query, {}):
            try:
                told = zip(HEAD_ATTRIBUTES, row["Told"], strict=False)
                place = _Place(row["TraceId"], int(row["First"]), int(row["Last"]))
                head = RunHead(
                    run_id=row["RunId"] or place.trace_id,
                    attributes={name: text for name, text in told if text},
                    place=place,
                )
            except (KeyError, TypeError, ValueError) as error:
                raise self._not_a_row(row) from error
            yield head

    def read(self, heads: Iterable[RunHead]) -> Iterator[Run]:
        """As `RunSource`."""
        waiting = iter(heads)
        while some := list(islice(waiting, _AT_ONCE)):
            yield from self._read_some(some)

    def __iter__(self) -> Iterator[Run]:
        """All runs."""
        yield from self.read(self.heads())

    def _read_some(self, heads: list[RunHead]) -> Iterator[Run]:
        ids = {head.place.trace_id: head.run_id for head in heads}
        parameters = {
            "traces": "[" + ",".join(f"'{_hex(trace_id)}'" for trace_id in ids) + "]",
            "first": str(min(head.place.first_ns for head in heads) - _MARGIN_NS),
            "last": str(max(head.place.last_ns for head in heads) + _MARGIN_NS),
        }
        spans = map(self._span, self._rows(_SPANS.format(table=self.server.table), parameters))
        for trace_id, group in groupby(spans, key=lambda span: span.trace_id):
            yield run_of(group, ids.pop(trace_id, trace_id))
        if ids:
            raise StoreError(f"{self.server}: run {next(iter(ids.values()))} was removed while the runs were read")

    def _span(self, row: dict[str, Any]) -> SpanRecord:
        try:
            return span_from_row(row)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._not_a_row(row) from error

    def _rows(self, query: str, parameters: dict[str, str]) -> Iterator[dict[str, Any]]:
        for line in self.server.lines(query, parameters):
            try:
                row = orjson.loads(line.decode("utf-8", "replace"))
            except orjson.JSONDecodeError as error:
                # A server that fails when it has begun to answer says so in the midst of the rows.
                said = line.decode("utf-8", "replace").strip()[:500]
                raise StoreError(f"{self.server}: the server broke off: {said}") from error
            if not isinstance(row, dict):
                raise self._not_a_row(row)
            yield row

    def _not_a_row(self, row: Any) -> StoreError:
        if isinstance(row, dict) and isinstance(row.get("exception"), str):
            return StoreError(f"{self.server}: the server broke off: {row['exception'][:500]}")
        return StoreError(
            f"{self.server}: table {self.server.table} is not as a Collector's clickhouse exporter makes it, with maps of texts"
        )


def span_from_row(row: dict[str, Any]) -> SpanRecord:
    """A span from a row of the table. The attributes of its scope are not in it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is no such row.
    """
    duration = int(row["Nanoseconds"])
    start = int(row["Start"])
    return SpanRecord(
        trace_id=row["TraceId"].lower(),
        span_id=row["SpanId"].lower(),
        parent_id=row["ParentSpanId"].lower() or None,
        name=row["SpanName"],
        start_ns=start,
        # An end before the start, by a clock that stepped back, wraps round in the unsigned column.
        end_ns=start + (duration if duration < _HUGE else duration - 2 * _HUGE),
        attributes=typed_attributes(row["SpanAttributes"]),
        status_code=_STATUS.get(row["StatusCode"].lower().removeprefix("status_code_"), 0),
        status_message=row["StatusMessage"],
        resource=dict(row["ResourceAttributes"]),
        scope=row["ScopeName"],
        scope_attributes={},
    )


def _hex(trace_id: str) -> str:
    """A trace's id, which is put into a parameter: nothing else may come there."""
    return f"{int(trace_id, 16):0{len(trace_id)}x}"
