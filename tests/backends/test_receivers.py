"""Receivers of OTLP that other people wrote: what they read of an exported run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import read_spans
from tests.backends.conftest import Starter, free_port, installed
from tests.record_exported_run import RUN, record

pytestmark = pytest.mark.backends


@pytest.fixture
def store(tmp_path: Path) -> Path:
    record(tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_rotel_reads_every_span(start: Starter, tachograph: Any, store: Path, protocol: str) -> None:
    """Written in Rust: each span with its attributes, by all three protocols, and content where it was asked for."""
    http, grpc = free_port(), free_port()
    (binary,) = installed("receivers").glob("lib/python*/site-packages/rotel/rotel-agent")
    addresses = ["--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}"]
    shown = ["--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"]
    rotel = start([binary, "start", *addresses, *shown], http)
    address = f"http://127.0.0.1:{grpc if protocol == 'grpc' else http}"
    done = tachograph("export", "--store", store, RUN, "--to", address, "--protocol", protocol, "--content")
    assert done.returncode == 0, done.stderr
    wanted = [span.span_id for span in read_spans(store / RUN)]
    rotel.wait_until(lambda: rotel.log.read_text().count("Span #") >= len(wanted))
    seen = rotel.log.read_text()
    assert re.findall(r"^ +ID +: (\w+)", seen, re.MULTILINE) == wanted
    assert seen.count("gen_ai.usage.input_tokens: Int(150)") == 1
    assert seen.count('gen_ai.input.messages: Str([{"role":') == 3


def test_oteltap_reads_every_span(start: Starter, tachograph: Any, store: Path) -> None:
    """Written in Rust, too; it takes protobuf without compression, and prints what it read as OTLP/JSON."""
    port = free_port()
    tap = start([installed("receivers") / "bin/python", "-u", "-m", "oteltap", "--port", str(port)], port)
    done = tachograph("export", "--store", store, RUN, "--to", tap.url, OTEL_EXPORTER_OTLP_COMPRESSION="none")
    assert done.returncode == 0, done.stderr
    wanted = [(span.span_id, span.parent_id) for span in read_spans(store / RUN)]
    tap.wait_until(lambda: tap.log.read_text().count('"spanId"') >= len(wanted))
    printed = [line for line in tap.log.read_text().splitlines() if line.startswith("{")]
    spans = [json.loads(line) for line in printed]
    assert [(span["spanId"], span.get("parentSpanId") or None) for span in spans] == wanted
    assert "gen_ai.input.messages" not in tap.log.read_text()
