"""Reading a run for the judges: from its folder, and from what other tools recorded."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring import (
    AXES,
    DEFAULT_PROFILE,
    AgentFacts,
    TaskFacts,
    agent_attributes,
    agent_facts,
    foreign_record,
    load_profile,
    load_record,
    score,
    task_attributes,
    task_facts,
)
from tachograph.scoring.check import CheckResult
from tachograph.traces import InputError, StoreError

Cell = Callable[..., Path]
SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


def attribute(name: str, value: Any) -> dict[str, Any]:
    kind = "intValue" if isinstance(value, int) else "stringValue"
    return {"key": name, "value": {kind: str(value)}}


def span(number: int, name: str, start: float, end: float, **attributes: Any) -> dict[str, Any]:
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": f"{number:016x}",
        "name": name,
        "kind": 3,
        "startTimeUnixNano": str(START + round(start * SECOND)),
        "endTimeUnixNano": str(START + round(end * SECOND)),
        "attributes": [attribute(key.replace("__", "."), value) for key, value in attributes.items()],
    }


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """What a Collector's file exporter writes of another tool's agent: two calls, one of which told no tokens."""
    usage = {"gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 20}
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "gpt-4o", "gen_ai__system": "openai"}
    spans = [
        span(1, "invoke_agent other", 0, 10, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="other"),
        span(2, "chat gpt-4o", 1, 3, **chat, **usage),
        span(3, "chat gpt-4o", 4, 5, **chat),
    ]
    line = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "other"}, "spans": spans}]}]}
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(line) + "\n")
    return path


def test_a_trace_of_another_tool(trace: Path, tmp_path: Path) -> None:
    """Its spans, two folders and a check are enough; what they do not tell is missing, and nowhere 0."""
    for state, text in (("before", "a - b"), ("after", "a + b")):
        (tmp_path / state).mkdir()
        (tmp_path / state / "calc.py").write_text(text)
    record = foreign_record(
        trace,
        tmp_path / "before",
        tmp_path / "after",
        task=TaskFacts(id="t", expected=("calc.py",)),
        check=CheckResult(command="pytest", exit_code=0, stdout=b"1 passed in 0.01s\n", stderr=b""),
    )
    found = score(record, AXES, [load_profile(DEFAULT_PROFILE)])
    values = {value.axis: value for value in found.axes}
    assert found.outcome.party == "solved"
    assert (values["tokens"].value, values["tokens"].bound) == (120.0, "lower")
    assert (values["latency"].value, values["latency"].details["model_call_ms"]) == (10_000.0, 3000.0)
    assert (values["blast_radius"].value, values["damage"].value) == (0.0, 0.0)
    assert found.composites[0].value is None
    assert all(turn.unreadable for turn in record.transcript)


def test_a_trace_alone(trace: Path) -> None:
    """Without folders and check most is missing, each with its reason."""
    found = score(foreign_record(trace), AXES, [])
    values = {value.axis: value for value in found.axes}
    assert (found.outcome.party, found.outcome.reason) == ("unknown", "not_checked")
    assert values["pass_rate"].status == values["damage"].status == "missing"
    assert values["damage"].reason == "no folders were given"


def test_what_is_not_in_the_folder_is_said(cell: Cell) -> None:
    """Snapshots that are gone or damaged: the rest is read, and the reason is there."""
    folder = cell()
    (folder / "workdir.after").unlink()
    record = load_record(folder)
    assert record.changes is None
    assert record.reasons["changes"] == "no snapshot was taken after it"
    assert record.check is not None
    (folder / "workdir.before").write_bytes(b"nonsense")
    (folder / "workdir.after").write_bytes(b"nonsense")
    record = load_record(folder)
    assert record.changes is None
    assert "workdir.before" in record.reasons["changes"]
    assert record.external_coverage == "none"


def test_there_must_be_a_run(tmp_path: Path) -> None:
    """A folder without a record is refused."""
    with pytest.raises(InputError, match="no recorded run here"):
        load_record(tmp_path)
    with pytest.raises((InputError, StoreError)):
        foreign_record(tmp_path / "none.json")


def test_facts_come_back_as_they_were_written() -> None:
    """What the harness puts on the run's span, the judge reads from it; what is None has no attribute."""
    task = TaskFacts(
        id="a/b",
        category="c",
        prompt="p",
        expected=("x",),
        protected=("y", "z"),
        refusal_expected=False,
        refusal_artifacts=("R.md",),
        forbidden_changes=("src/**",),
        time_budget=10.0,
        token_reference=5.0,
    )
    assert task_facts(task_attributes(task)) == task
    assert task_facts(task_attributes(TaskFacts())) == TaskFacts()
    agent = AgentFacts(name="aider", version="0.86.0", housekeeping=(".aider*",))
    assert agent_facts(agent_attributes(agent)) == agent
    assert agent_facts(agent_attributes(replace(agent, name=None))) == replace(agent, name=None)
