"""Profiles and content at the command line, against a backend that keeps what it is sent."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._export_content import with_more
from tachograph.traces.export import PROFILES, read_destination
from tests.keeping_backend import Backend, keeping_backend
from tests.record_exported_run import RUN, record


@pytest.fixture
def backend() -> Iterator[Backend]:
    with keeping_backend() as made:
        yield made


def export(tachograph: Any, backend: Backend, store: Path, *options: str, **env: str) -> None:
    done = tachograph("export", "--store", store, RUN, "--to", backend.url, "--protocol", "http/json", *options, **env)
    assert done.returncode == 0, done.stderr


def told(span: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}


@pytest.mark.parametrize("profile", PROFILES)
def test_it_goes_to_the_forwarder_of_serve(tmp_path: Path, profile: str) -> None:
    """Which is another process: what adds content is no closure, and reads there what it reads here."""
    folder = record(tmp_path)
    bare = read_destination({}, to="http://127.0.0.1:9", profile=profile)
    destination = with_more(bare, content=True, environment={})
    there = pickle.loads(pickle.dumps(destination)).profile
    for text in (folder / "trace.jsonl").read_bytes().splitlines():
        line = json.loads(text)
        assert there.enrich(line, folder) == destination.profile.enrich(line, folder)


def test_what_was_said_stays_here(tachograph: Any, backend: Backend, tmp_path: Path) -> None:
    """Unless it is asked for, no message leaves, by no profile."""
    record(tmp_path)
    for profile in ("otlp", "langfuse", "mlflow", "genai-dev"):
        export(tachograph, backend, tmp_path, "--profile", profile)
    assert "list the files" not in backend.text()
    assert "gen_ai.input.messages" not in backend.text()


@pytest.mark.parametrize(("options", "env"), [(("--content",), ""), ((), "SPAN_ONLY")])
def test_what_was_said_is_sent_where_it_is_asked_for(
    tachograph: Any, backend: Backend, tmp_path: Path, options: tuple[str, ...], env: str
) -> None:
    """By the option, or by the variable that OpenTelemetry's own instrumentations read."""
    record(tmp_path)
    variable = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": env}
    export(tachograph, backend, tmp_path, *options, **variable)
    calls = [span for span in backend.spans() if told(span)["tachograph.span"] == "call"]
    assert len(calls) == 3
    for span in calls:
        (answer,) = json.loads(told(span)["gen_ai.output.messages"])
        assert answer["parts"]
    others = [span for span in backend.spans() if told(span)["tachograph.span"] != "call"]
    assert not [name for span in others for name in told(span) if name.startswith("gen_ai.input")]


def test_an_event_where_the_variable_says_so(tachograph: Any, backend: Backend, tmp_path: Path) -> None:
    """And no attribute."""
    record(tmp_path)
    export(tachograph, backend, tmp_path, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="event_only")
    events = [event["name"] for span in backend.spans() for event in span.get("events", ())]
    assert events.count("gen_ai.client.inference.operation.details") == 3
    assert not [name for span in backend.spans() for name in told(span) if name == "gen_ai.input.messages"]


def test_a_variable_that_nobody_knows(tachograph: Any, tmp_path: Path) -> None:
    """Is an error that says what there is, before anything is sent."""
    record(tmp_path)
    variable = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "everything"}
    done = tachograph("export", "--store", tmp_path, RUN, "--to", "http://127.0.0.1:9", **variable)
    assert done.returncode == 2
    assert "span_and_event" in done.stderr


def test_a_limit(tachograph: Any, backend: Backend, tmp_path: Path) -> None:
    """What does not fit is left out, and the span says so."""
    record(tmp_path)
    export(tachograph, backend, tmp_path, "--content", "--content-limit", "150")
    calls = [told(span) for span in backend.spans() if told(span)["tachograph.span"] == "call"]
    assert [call for call in calls if "tachograph.content.left_out" in call]
    for call in calls:
        sizes = [len(call[name]) for name in ("gen_ai.output.messages", "gen_ai.input.messages") if name in call]
        assert sum(sizes) <= 150


def test_bodies_that_were_not_kept(tachograph: Any, backend: Backend, tmp_path: Path) -> None:
    """The calls go without what was said, and say why."""
    record(tmp_path, keep=False)
    export(tachograph, backend, tmp_path, "--content")
    missing = [told(span).get("tachograph.content.missing", "") for span in backend.spans()]
    assert sum("were not kept" in reason for reason in missing) == 3


def test_langfuse_gets_what_its_ingestion_reads(tachograph: Any, backend: Backend, tmp_path: Path) -> None:
    """Paths, headers and shapes by its source (it needs databases, and is not run here)."""
    record(tmp_path)
    secret = "Basic " + "x" * 20
    export(tachograph, backend, tmp_path, "--profile", "langfuse", OTEL_EXPORTER_OTLP_HEADERS=f"Authorization={secret}")
    paths = [path for _, path, _, _ in backend.requests]
    assert paths == ["/api/public/otel/v1/traces", *["/api/public/scores"] * 3]
    assert {headers["authorization"] for _, _, headers, _ in backend.requests} == {secret}
    root = next(span for span in backend.spans() if not span.get("parentSpanId"))
    for _, _, headers, body in backend.requests[1:]:
        score = json.loads(body)
        assert headers["content-type"] == "application/json"
        assert (score["traceId"], score["observationId"]) == (root["traceId"], root["spanId"])
        assert isinstance(score["value"], float if score["dataType"] == "NUMERIC" else str)


def test_a_run_that_was_killed(tachograph: Any, backend: Backend, tmp_path: Path) -> None:
    """It has a root where the profile sends no announcements, the same each time, and dead letters of it none."""
    record(tmp_path, killed=True)
    for _ in range(2):
        export(tachograph, backend, tmp_path, "--profile", "mlflow")
    roots = [span for span in backend.spans() if not span.get("parentSpanId")]
    assert len(roots) == 2
    assert roots[0] == roots[1]
    assert told(roots[0])["tachograph.run.status"] == "open"
    assert not list(tmp_path.glob(".exports/*/dead-letters.jsonl"))
