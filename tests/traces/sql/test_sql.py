"""SQL sees the journals as `read_run` does, whatever a kill left of them, and reaches nothing else."""

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tachograph.harness._cli import main
from tachograph.traces import Amendment, InputError, RunStore, Score, StoreError, append_scores, read_run
from tachograph.traces.sql import query

pytestmark = pytest.mark.filterwarnings("error")


def asked(where: Path, sql: str) -> list[tuple[Any, ...]]:
    with query(where, sql) as rows:
        return list(rows)


@pytest.fixture
def runs(store: RunStore, record: Any, new_request: Any, new_call: Any) -> RunStore:
    """Two runs: a closed and scored one with a cut call, and one whose recorder was killed with a call in flight."""
    run = store.open_run("a", {"tachograph.task.id": "t", "tachograph.agent.name": "an-agent", "tachograph.model": "m"})
    record(run)
    request = new_request(streamed=True)
    opened = run.start_call(request, 2_000_000_000, None)
    run.end_call(opened, new_call(request, run_id="a", start_ns=2_000_000_000, sequence=2))
    run.amend_call(opened, Amendment(at_ns=1, outcome="upstream_cut", error_type="cut"))
    with run.span("check", "check t") as span:
        span.set_attribute("tachograph.check.passed", True)
    run.close()
    for value in (1.0, 2.0):
        append_scores(run.folder, "a", 5, [Score(axis="tokens", value=value, attributes={"unit": "{token}"})])
    run = store.open_run("b")
    run.start_call(new_request(), 3_000_000_000, None)
    run._opened.close()
    return store


def test_the_views_say_what_read_run_says(runs: RunStore) -> None:
    """Calls, runs and scores, typed: late ends are merged, what has not ended is, what is not known is NULL."""
    calls = asked(
        runs.folder,
        "SELECT run_id, sequence, outcome, error_type, input_tokens, seconds, streamed, agent FROM calls ORDER BY ALL",
    )
    assert calls == [
        ("a", 1, "completed", None, 12, 0.001, False, "an-agent"),
        ("a", 2, "upstream_cut", "cut", 12, 0.001, True, "an-agent"),
        ("b", None, "interrupted", None, None, None, False, None),
    ]
    for name in "ab":
        run = read_run(runs.folder / name)
        ((status, sealed, ended, count, tokens),) = asked(
            runs.folder,
            f"SELECT status, sealed, seconds IS NOT NULL, calls, input_tokens FROM runs WHERE run_id = '{name}'",
        )
        known = [call.usage.input_tokens for call in run.calls if call.usage.input_tokens is not None]
        assert (status, sealed, ended, count) == (run.status, run.sealed, run.end_ns is not None, len(run.calls))
        assert tokens == (sum(known) if known else None)
    assert asked(runs.folder, "SELECT run_id, task, agent, model, passed FROM runs ORDER BY run_id") == [
        ("a", "t", "an-agent", "m", True),
        ("b", None, None, None, None),
    ]
    assert asked(runs.folder, "SELECT run_id, axis, value, unit, task FROM scores") == [
        ("a", "tokens", 2.0, "{token}", "t")
    ]


def test_the_collector_s_table_is_there(runs: RunStore) -> None:
    """The same columns in the same order, attributes as the exporter writes them: the same question runs on a server."""
    ddl = (Path(__file__).parents[1] / "warehouse" / "otel_traces.sql").read_text()
    names = [line.split()[0] for line in ddl.splitlines() if line.startswith("    ") and not line.startswith("     ")]
    with query(runs.folder, "SELECT * FROM otel_traces") as rows:
        assert list(rows.columns) == [name for name in names if name not in ("INDEX", ")")]
    sql = """
        SELECT SpanName, SpanKind, StatusCode, SpanAttributes['gen_ai.response.finish_reasons'] AS Reasons,
            SpanAttributes['http.response.status_code'] AS Status, Duration
        FROM otel_traces WHERE SpanAttributes['tachograph.span'] = 'call' AND SpanAttributes['tachograph.call.seq'] = '1'
    """
    (row,) = asked(runs.folder, sql)
    assert row[:5] == ("chat a-model", "Client", "Unset", '["stop"]', "200")
    events = "SELECT Events.Name, Links.SpanId FROM otel_traces WHERE SpanName = 'score tokens' LIMIT 1"
    assert asked(runs.folder, events) == [(["gen_ai.evaluation.result"], [])]


def test_only_what_changed_is_read_again(runs: RunStore, record: Any) -> None:
    """What was read is kept; a run that grew, came or went is seen at the next question."""
    count = "SELECT run_id, calls FROM runs ORDER BY run_id"
    assert asked(runs.folder, count) == [("a", 2), ("b", 1)]
    kept = sorted((runs.folder / ".sql").glob("spans-*"))
    stamps = [path.stat().st_mtime_ns for path in kept]
    assert asked(runs.folder, count) == [("a", 2), ("b", 1)]
    assert [path.stat().st_mtime_ns for path in kept] == stamps
    run = runs.open_run("c")
    record(run)
    assert asked(runs.folder, "SELECT run_id, outcome FROM calls WHERE run_id = 'c'") == [("c", "completed")]
    record(run)
    run.close()
    assert asked(runs.folder, count) == [("a", 2), ("b", 1), ("c", 2)]
    for path in (runs.folder / "a").rglob("*"):
        path.unlink() if path.is_file() else None
    assert asked(runs.folder, count) == [("b", 1), ("c", 2)]
    assert not list((runs.folder / ".sql").glob("*.ndjson"))


def test_a_call_in_flight_is_told_while_its_recorder_lives(store: RunStore, new_request: Any) -> None:
    """Asked each time, whatever was kept of the journal."""
    run = store.open_run("a")
    run.start_call(new_request(), 5, None)
    assert asked(store.folder, "SELECT outcome FROM calls") == [("in_flight",)]
    run._opened.close()
    assert asked(store.folder, "SELECT outcome FROM calls") == [("interrupted",)]


@pytest.mark.parametrize(
    "rest",
    [
        b'{"resourceSpans": [{"scopeSp',
        b"no json\n",
        b"\x00\xff\n[1, 2]\nnull\n",
        b'{"resourceSpans": 5}\n{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 5}, 7]}]}]}\n',
        b'{"long": "' + b"x" * 20_000_000 + b'"}\n',
    ],
)
def test_what_is_no_span_is_passed_over(runs: RunStore, rest: bytes) -> None:
    """A torn last line, and whatever else stands in a journal: the spans before it are there."""
    before = asked(runs.folder, "SELECT count(*) FROM otel_traces")
    with (runs.folder / "b" / "trace.jsonl").open("ab") as journal:
        journal.write(rest)
    assert asked(runs.folder, "SELECT count(*) FROM otel_traces") == before


def test_names_and_spans_that_stand_twice_count_once(runs: RunStore) -> None:
    """Of an attribute the first, of a span one."""
    journal = runs.folder / "b" / "trace.jsonl"
    before = asked(runs.folder, "SELECT count(*) FROM otel_traces")
    line = journal.read_bytes().splitlines()[0]
    twice = line.replace(
        b'"attributes":[', b'"attributes":[{"key":"k","value":{"intValue":"1"}},{"key":"k","value":{}},'
    )
    journal.write_bytes(twice + b"\n" + line + b"\n" + journal.read_bytes())
    assert asked(runs.folder, "SELECT count(*) FROM otel_traces") == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_json('http://127.0.0.1:9/')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sqlite_scan('{file}', 't')",
        "COPY (SELECT 1) TO '{file}'",
        "SELECT * FROM query('COPY (SELECT 1) TO ''{file}''')",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CREATE TABLE x AS SELECT 1",
        "DELETE FROM kept_0.calls",
        "SELECT 1; SELECT 2",
        "SELECT 1) TO '{file}' --",
        "",
        "SELECT nothing FROM calls",
        "SELECT 1 / 'a'",
    ],
)
def test_nothing_but_the_record_is_within_reach(runs: RunStore, tmp_path: Path, sql: str) -> None:
    """No file, no network, no writing, no setting: one clear error, and the file is as it was."""
    file = tmp_path / "secret.csv"
    file.write_text("secret\n")
    with pytest.raises(InputError, match="SQL: "):
        asked(runs.folder, sql.format(file=file))
    assert file.read_text() == "secret\n"


def test_an_answer_is_written_as_parquet(runs: RunStore, tmp_path: Path) -> None:
    """To the file that is named and no other, whatever stands at the end of the question."""
    file = tmp_path / "it's.parquet"
    with query(runs.folder, "SELECT run_id, calls FROM runs ORDER BY run_id; -- done", parquet=file) as rows:
        assert list(rows) == [(2,)]
    with duckdb.connect() as database:
        assert database.execute("FROM read_parquet($file)", {"file": str(file)}).fetchall() == [("a", 2), ("b", 1)]
    with pytest.raises(StoreError), query(runs.folder, "SELECT 1", parquet=tmp_path / "nowhere" / "a.parquet"):
        pass


def test_a_store_that_cannot_be_written_is_read(runs: RunStore) -> None:
    """Then nothing is kept. A file in the place of the folder stands for it: root may write everywhere."""
    (runs.folder / ".sql").write_text("")
    assert asked(runs.folder, "SELECT count(*) FROM runs") == [(2,)]
    assert asked(runs.folder / "a", "SELECT run_id FROM runs") == [("a",)]


def test_what_was_kept_may_be_damaged_or_deleted(runs: RunStore) -> None:
    """Deleted: read again. Damaged: an error that says what to delete."""
    asked(runs.folder, "SELECT 1")
    for path in (runs.folder / ".sql").glob("spans-*"):
        path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match="may be deleted"):
        asked(runs.folder, "SELECT 1")
    for path in (runs.folder / ".sql").glob("*"):
        path.unlink()
    assert asked(runs.folder, "SELECT count(*) FROM runs") == [(2,)]


def test_a_missing_engine_is_told(runs: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: the error says what to install."""
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"pip install 'tachograph\[sql\]'"):
        asked(runs.folder, "SELECT 1")


def test_a_run_that_was_copied_counts_once(runs: RunStore) -> None:
    """Two folders with the same spans are one run: by the copy that has most of it."""
    shutil.copytree(runs.folder / "a", runs.folder / "0-copy")
    (runs.folder / "0-copy" / "trace.jsonl").write_bytes((runs.folder / "a" / "trace.jsonl").read_bytes()[:4000])
    assert asked(runs.folder, "SELECT run_id, calls FROM runs ORDER BY run_id") == [("a", 2), ("b", 1)]
    assert asked(runs.folder, "SELECT count(*) = count(DISTINCT SpanId) FROM otel_traces") == [(True,)]


def test_several_may_ask_at_once(runs: RunStore, record: Any) -> None:
    """One after the other brings what is kept up to date; what the first one reads stays while it reads."""
    with ThreadPoolExecutor(4) as pool:
        for number in range(3):
            run = runs.open_run(f"more-{number}")
            record(run)
            run.close()
            counted = pool.map(lambda _: asked(runs.folder, "SELECT count(*) FROM calls"), range(4))
            assert list(counted) == [[(4 + number,)]] * 4


def test_the_command_prints_and_refuses(runs: RunStore, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A table, JSON lines, CSV and Parquet; an error is one line of ours and exit code 2."""

    def shown(sql: str, *arguments: str | Path, store: Path = runs.folder) -> tuple[int, str, str]:
        code = main(["sql", sql, "--store", str(store), *map(str, arguments)])
        return code, *capsys.readouterr()

    _, out, _ = shown("SELECT run_id, calls, passed FROM runs ORDER BY 1")
    assert out.splitlines() == ["run_id  calls  passed", "a           2  true", "b           1  -"]
    _, out, _ = shown("SELECT run_id, started, passed FROM runs ORDER BY 1", "--json")
    assert json.loads(out.splitlines()[1])["passed"] is None
    _, out, _ = shown(
        "SELECT 0.1::DOUBLE AS a, NULL AS b, [1, 2] AS c, 'x,y' AS d, TIMESTAMP '2026-01-01' AS e", "--csv"
    )
    assert out == 'a,b,c,d,e\n0.1,,"[1,2]","x,y",2026-01-01T00:00:00\n'
    sql = "SELECT 1.5::DECIMAL(3, 1) AS a, INTERVAL 2 SECOND AS b, {'k': '\\x00'::BLOB} AS c, DATE '2026-01-01' AS d"
    _, out, _ = shown(sql, "--json")
    assert json.loads(out) == {"a": 1.5, "b": 2.0, "c": {"k": "00"}, "d": "2026-01-01"}
    _, out, _ = shown("SELECT i FROM range(2000) AS t(i)")
    assert out.splitlines()[-1].startswith("… the first 1000 rows")
    _, out, _ = shown("SELECT 1", "--to", "parquet", tmp_path / "one.parquet")
    assert "one.parquet: 1 rows" in out
    code, _, said = shown("SELECT 1", "--to", "csv", tmp_path / "one.csv")
    assert (code, "parquet" in said) == (2, True)
    code, _, said = shown("DROP TABLE runs")
    assert (code, said.count("\n")) == (2, 1)
    code, _, said = shown("SELECT 1", store=tmp_path / "nowhere")
    assert (code, "no such folder" in said) == (2, True)
    (tmp_path / "empty").mkdir()
    code, _, said = shown("SELECT 1", store=tmp_path / "empty")
    assert (code, "no runs to ask" in said) == (2, True)
