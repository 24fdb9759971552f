"""The spans of a page: all that took time, and only that."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tachograph.scoring import AXES, load_profile, score_folder
from tachograph.scoring.pages import page_document

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def test_the_spans_of_a_run(agent: Any) -> None:
    """Run, agent, calls and check, each below its parent; scores and the seal took no time."""
    recording = agent.recording
    with recording.span("agent", "invoke_agent a"):
        agent.ask([{"role": "user", "content": "Hi."}], {"role": "assistant", "content": "Hello."})
    with recording.span("check", "check t"):
        pass
    score_folder(agent.close(), AXES, [load_profile("tachograph-2026-11")])
    document = page_document(recording.folder)
    spans = {span["kind"]: span for span in document["spans"]}
    assert sorted(span["kind"] for span in document["spans"]) == ["agent", "call", "check", "run"]
    assert spans["run"]["parent"] is None
    assert spans["agent"]["parent"] == spans["check"]["parent"] == spans["run"]["id"]
    assert spans["call"]["call"] == 0
    assert [spans[kind]["call"] for kind in ("run", "agent", "check")] == [None] * 3
    assert spans["run"]["lane"] == 0
    assert all(span["lane"] > 0 for kind, span in spans.items() if kind != "run")


def test_a_span_that_did_not_end(agent: Any) -> None:
    """Of what was announced and not ended the beginning is known: it has no end, and is below its parent."""
    recording = agent.recording
    kept = recording.folder / "trace.jsonl"
    with recording.span("agent", "invoke_agent a"):
        agent.ask([{"role": "user", "content": "Hi."}], None)
        journal = kept.read_bytes()
    agent.close()
    kept.write_bytes(journal)
    document = page_document(recording.folder)
    spans = {span["kind"]: span for span in document["spans"]}
    assert [spans[kind]["end_ms"] for kind in ("run", "agent", "call")] == [None] * 3
    assert spans["agent"]["parent"] == spans["run"]["id"]
    assert spans["call"]["parent"] == spans["agent"]["id"]
    assert [spans[kind]["lane"] for kind in ("run", "agent", "call")] == [0, 1, 2]
    assert (document["live"], document["seal"]["state"]) == (False, "open")
    assert "no end" in document["reasons"]["wall_ms"]


def test_attributes_are_text(start_run: Callable[..., Any]) -> None:
    """By name, lists as JSON, long ones cut and saying so; what each line of a journal has is left out."""
    agent = start_run(**{"z": "a\x1b[31mred", "b.list": ("x", "y"), "a.long": "x" * 10_000, "c": 1.5, "d": True})
    agent.close()
    (run,) = page_document(agent.recording.folder)["spans"]
    told = dict(run["attributes"])
    names = [name for name, _ in run["attributes"]]
    assert names == sorted(names)
    assert (told["z"], told["b.list"], told["c"], told["d"]) == ("a\x1b[31mred", '["x","y"]', "1.5", "true")
    assert told["a.long"].endswith("… and 6,000 more characters")
    assert not any(name.startswith(("tachograph.journal", "session.id")) for name in names)


def foreign_span(
    span_id: int, parent: int | None, name: str, start: int, end: int, **attributes: Any
) -> dict[str, Any]:
    return {
        "traceId": "1" * 32,
        "spanId": f"{span_id:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": name,
        "startTimeUnixNano": str(START + start * SECOND),
        "endTimeUnixNano": str(START + end * SECOND),
        "attributes": [
            {"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in attributes.items()
        ],
    }


def test_a_file_of_another_tool(tmp_path: Path) -> None:
    """Its spans have the kinds that the conventions give them, and its page the reasons for what such a file lacks."""
    spans = [
        foreign_span(1, None, "invoke_agent x", 0, 10, gen_ai__operation__name="invoke_agent"),
        foreign_span(2, 1, "chat m", 1, 4, gen_ai__operation__name="chat", gen_ai__request__model="m"),
        foreign_span(3, 1, "execute_tool t", 3, 6, gen_ai__operation__name="execute_tool"),
        foreign_span(4, 99, "GET /", 3, 6),
    ]
    file = tmp_path / "spans.jsonl"
    scope = {"scope": {"name": "their.instrument"}, "spans": spans}
    resource = {"attributes": [{"key": "host.name", "value": {"stringValue": "their-host"}}]}
    file.write_text(json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}))
    document = page_document(file)
    assert [span["kind"] for span in document["spans"]] == ["agent", "call", "tool", "their.instrument"]
    agent, call, _, other = document["spans"]
    assert [span["lane"] for span in document["spans"]] == [0, 2, 3, 1]
    assert (call["parent"], other["parent"]) == (agent["id"], None)
    assert document["wall_ms"] == 10_000
    assert document["changes"] is document["check"] is None
    assert {"changes", "check"} <= document["reasons"].keys()
    machine = next(fact for fact in document["identity"] if fact["label"] == "Machine")
    assert machine["value"] == "their-host"
    assert document["seal"]["state"] == "open"
