"""The ClickHouse reader against ClickHouse itself (chdb), with the table as the Collector makes it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import tachograph.traces
from tachograph.traces import InputError, Run, RunStore, StoreError, read_run

pytestmark = pytest.mark.backends


def insert_runs(clickhouse: Any, database: str, rows: Iterable[Any]) -> None:
    clickhouse.make_table(database)
    clickhouse.insert(database, list(rows))


def test_runs_come_back_as_they_were(
    clickhouse: Any,
    varied: Callable[[str], Path],
    journal_lines: Any,
    collector_rows: Any,
    collected: Callable[[Run], Run],
) -> None:
    """Journal, rows as the exporter writes them, and the same run again: types, order, the late end; duplicates once."""
    folders = [varied(run_id) for run_id in ("a", "b")]
    rows = [row for line in journal_lines(*folders) for row in collector_rows(line)]
    insert_runs(clickhouse, "whole", [*reversed(rows), *rows[::3]])
    source = tachograph.traces.open(clickhouse.url("whole"))
    heads = list(source.heads())
    assert [(head.run_id, head.attributes["tachograph.agent.name"]) for head in heads] == [("a", "true"), ("b", "true")]
    assert list(source) == [collected(read_run(folder)) for folder in folders]
    assert [run.run_id for run in source.read(reversed(heads))] == ["b", "a"]


def test_other_spans_are_no_runs(
    clickhouse: Any, varied: Callable[[str], Path], journal_lines: Any, collector_rows: Any
) -> None:
    """A table that others write to as well: what is not of a run's trace is not read."""
    rows = [row for line in journal_lines(varied("a")) for row in collector_rows(line)]
    other = {**rows[0], "ScopeName": "other", "SpanAttributes": {}, "SpanName": "GET /"}
    insert_runs(clickhouse, "shared", [*rows, {**other, "TraceId": "f" * 32}, {**other, "SpanId": "e" * 16}])
    (run,) = tachograph.traces.open(clickhouse.url("shared"))
    assert [span.span_id for span in run.spans if span.scope == "other"] == ["e" * 16]


def test_many_runs_are_read_some_at_a_time(
    clickhouse: Any, store: RunStore, record: Any, journal_lines: Any, collector_rows: Any
) -> None:
    """More runs than are asked for at once: each of them, in the order of their beginnings."""
    for number in range(70):
        with_call = store.open_run(f"run-{number:03}")
        record(with_call)
        with_call.close()
    rows = [row for line in journal_lines(*store.run_folders()) for row in collector_rows(line)]
    insert_runs(clickhouse, "many", rows)
    runs = list(tachograph.traces.open(clickhouse.url("many")))
    assert [run.run_id for run in runs] == [f"run-{number:03}" for number in range(70)]
    assert all(len(run.calls) == 1 and run.sealed and not run.missing_lines for run in runs)


def test_a_table_of_another_form_is_told(clickhouse: Any) -> None:
    """No table, an empty one, and one with columns of JSON: an error that says so, or no run."""
    clickhouse.make_table("empty")
    assert list(tachograph.traces.open(clickhouse.url("empty"))) == []
    with pytest.raises(StoreError, match=r"the server refused .*nowhere"):
        list(tachograph.traces.open(clickhouse.url("nowhere")))
    with pytest.raises(InputError, match="native protocol"):
        tachograph.traces.open("clickhouse://127.0.0.1:9000/otel")


def test_runs_are_scored_and_compared_where_they_lie(
    clickhouse: Any, varied: Callable[[str], Path], journal_lines: Any, collector_rows: Any, tachograph: Any
) -> None:
    """`score` and `compare` take the server's address; what a table cannot tell has no value, and says why."""
    rows = [row for line in journal_lines(varied("a"), varied("b")) for row in collector_rows(line)]
    insert_runs(clickhouse, "scored", rows)
    done = tachograph("score", "sweep=a", "--store", clickhouse.url("scored"))
    assert done.returncode == 0, done.stderr
    assert "2 runs" in done.stdout
    done = tachograph("compare", "a", "b", "--store", clickhouse.url("scored"))
    assert done.returncode == 0, done.stderr
