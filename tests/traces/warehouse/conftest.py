"""Runs as they come out of a Collector: its files, and the rows of its ClickHouse table."""

import base64
import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import Amendment, Run, RunStore, Score, append_scores

ROOT = Path(__file__).parents[3]
CHDB = ROOT / ".backends" / "chdb" / "bin" / "python"
Json = dict[str, Any]


_HEAD = "Content-Type: application/json\r\nX-Trace: é"


def record_varied_run(store: RunStore, run_id: str, new_request: Any, new_call: Any) -> Path:
    """A run with all that a span may hold: a cut call, one in two parts, an unended one, texts that look like numbers."""
    run = store.open_run(
        run_id,
        {
            "tachograph.task.id": "7",
            "tachograph.agent.name": "true",
            "tachograph.model": "a-model",
            "tachograph.sweep.id": "a",
            "tachograph.task.expected": ("src/a.py", 'quoted "é".py', "<&>"),
            "tachograph.task.time.budget": 90.0,
            "tachograph.agent.argv": ("agent", "--flag", ""),
            "tachograph.agent.sandbox": False,
            "tachograph.run.attempt": 1,
        },
    )
    with run.span("agent", "invoke_agent true", attributes={"gen_ai.agent.name": "true"}) as span:
        run.calls_below = span.get_span_context()
        whole = new_request(head=_HEAD)
        opened = run.start_call(whole, time.time_ns(), None)
        run.end_call(opened, new_call(whole, run_id=run_id, start_ns=opened.start_ns, sequence=1))
        cut = new_request(streamed=True, model="123", session_id="456", head=_HEAD)
        opened = run.start_call(cut, time.time_ns(), None)
        run.end_call(
            opened,
            new_call(cut, run_id=run_id, start_ns=opened.start_ns, sequence=2, error_type="timeout", message="é\n"),
        )
        run.amend_call(opened, Amendment(at_ns=time.time_ns(), outcome="upstream_cut", response_bytes=5))
        run.start_call(new_request(head=_HEAD), time.time_ns(), None)
        span.set_attributes({"process.exit.code": -9, "tachograph.agent.timed_out": True})
    with run.span("check", "check 7") as span:
        span.set_attributes(
            {
                "process.exit.code": 0,
                "tachograph.check.passed": True,
                "tachograph.check.command": "1",
                "tachograph.check.stdout": run.keep(b"FAILED: 1 of 1\n"),
                "tachograph.check.duration_ns": 5,
            }
        )
    run.close("timeout")
    append_scores(
        run.folder, run_id, time.time_ns(), [Score(axis="tokens", value=15.0, attributes={"n": 1, "flags": ("a",)})]
    )
    return run.folder


@pytest.fixture
def varied(store: RunStore, new_request: Any, new_call: Any) -> Callable[[str], Path]:
    return lambda run_id: record_varied_run(store, run_id, new_request, new_call)


def as_collected(run: Run) -> Run:
    """A run as it is when read from elsewhere: unended calls may go on, and a scope's attributes are in no table."""
    return replace(
        run,
        calls=tuple(
            replace(call, outcome="in_flight") if call.outcome == "interrupted" else call for call in run.calls
        ),
        spans=tuple(replace(span, scope_attributes={}) for span in run.spans),
    )


@pytest.fixture(scope="session")
def collected() -> Callable[[Run], Run]:
    return as_collected


def lines_of(*folders: Path) -> list[Json]:
    return [json.loads(line) for folder in folders for line in (folder / "trace.jsonl").read_bytes().splitlines()]


def batched(lines: list[Json]) -> Json:
    """Many lines in one, as a Collector's batches have them: spans of one resource and scope together."""
    first = lines[0]["resourceSpans"][0]
    scope = first["scopeSpans"][0]
    spans = [line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in lines]
    return {"resourceSpans": [{**first, "scopeSpans": [{**scope, "spans": spans}]}]}


@pytest.fixture(scope="session")
def journal_lines() -> Callable[..., list[Json]]:
    return lines_of


@pytest.fixture(scope="session")
def batch() -> Callable[[list[Json]], Json]:
    return batched


def go_text(value: Json) -> str:
    """A value as `pcommon.Value.AsString` writes it."""
    (kind, content), *_ = list(value.items()) or [("stringValue", "")]
    match kind:
        case "boolValue":
            return "true" if content else "false"
        case "doubleValue":
            return json.dumps(int(content) if float(content).is_integer() else content)
        case "bytesValue":
            return base64.b64encode(base64.b64decode(content)).decode()
        case "arrayValue" | "kvlistValue":
            text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))
            return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return str(content)


def plain(value: Json) -> Any:
    (kind, content), *_ = list(value.items()) or [("stringValue", None)]
    match kind:
        case "arrayValue":
            return [plain(item) for item in content.get("values", [])]
        case "kvlistValue":
            return {item["key"]: plain(item["value"]) for item in content.get("values", [])}
        case "intValue":
            return int(content)
    return content


def texts(attributes: list[Json] | None) -> dict[str, str]:
    return {item["key"]: go_text(item["value"]) for item in attributes or ()}


KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
CODES = ("Unset", "Ok", "Error")


def rows_of(line: Json) -> Iterator[Json]:
    """The rows that the Collector's clickhouse exporter inserts for a line."""
    for resource_spans in line["resourceSpans"]:
        resource = texts(resource_spans.get("resource", {}).get("attributes"))
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                yield {
                    "Timestamp": f"{start // 10**9}.{start % 10**9:09}",
                    "TraceId": span["traceId"],
                    "SpanId": span["spanId"],
                    "ParentSpanId": span.get("parentSpanId", ""),
                    "TraceState": span.get("traceState", ""),
                    "SpanName": span["name"],
                    "SpanKind": KINDS[span.get("kind", 0)],
                    "ServiceName": resource.get("service.name", ""),
                    "ResourceAttributes": resource,
                    "ScopeName": scope_spans["scope"].get("name", ""),
                    "ScopeVersion": scope_spans["scope"].get("version", ""),
                    "SpanAttributes": texts(span.get("attributes")),
                    "Duration": (end - start) % 2**64,
                    "StatusCode": CODES[span.get("status", {}).get("code", 0)],
                    "StatusMessage": span.get("status", {}).get("message", ""),
                    "Events.Timestamp": [int(event["timeUnixNano"]) / 1e9 for event in span.get("events", ())],
                    "Events.Name": [event["name"] for event in span.get("events", ())],
                    "Events.Attributes": [texts(event["attributes"]) for event in span.get("events", ())],
                    "Links.TraceId": [link["traceId"] for link in span.get("links", ())],
                    "Links.SpanId": [link["spanId"] for link in span.get("links", ())],
                    "Links.TraceState": ["" for _ in span.get("links", ())],
                    "Links.Attributes": [texts(link.get("attributes")) for link in span.get("links", ())],
                }


@pytest.fixture(scope="session")
def collector_rows() -> Callable[[Json], Iterator[Json]]:
    return rows_of


def read_row(row: Json) -> Json:
    """A row as the reader's own query gives it."""
    seconds, _, nanoseconds = row["Timestamp"].partition(".")
    return {**row, "Start": seconds + nanoseconds, "Nanoseconds": str(row["Duration"])}


@pytest.fixture(scope="session")
def selected() -> Callable[[Json], Json]:
    return read_row


class StubServer:
    """A server that gives what it was told to, byte for byte, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked: list[tuple[str, dict[str, str], str]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                stub.asked.append((self.path, dict(self.headers), body))
                self.wfile.write(stub.answers.pop(0))
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def stub() -> Iterator[StubServer]:
    server = StubServer()
    yield server
    server.close()


class ClickHouse:
    """ClickHouse itself, in a process of its own."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("clickhouse_in_process.py")
        self._process = subprocess.Popen([CHDB, script], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def url(self, database: str) -> str:
        return f"clickhouse://127.0.0.1:{self.port}/{database}"

    def make_table(self, database: str) -> None:
        self.ask(f"CREATE DATABASE {database}")
        self.ask(Path(__file__).with_name("otel_traces.sql").read_text(), database)

    def insert(self, database: str, rows: list[Json]) -> None:
        lines = "\n".join(json.dumps(row) for row in rows)
        self.ask(f"INSERT INTO otel_traces FORMAT JSONEachRow\n{lines}", database)

    def ask(self, sql: str, database: str = "default") -> bytes:
        url = f"http://127.0.0.1:{self.port}/?database={database}"
        with urllib.request.urlopen(urllib.request.Request(url, sql.encode()), timeout=20) as answer:
            return bytes(answer.read())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[ClickHouse]:
    if not CHDB.exists():
        pytest.skip("chdb is not installed: `make test-backends` does it")
    server = ClickHouse()
    yield server
    server.close()
