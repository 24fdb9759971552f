"""Runs are scored and compared where they lie; what a collector cannot know has no value, and says why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._cli import main
from tachograph.traces import Call, CallRequest, CallResponse, RunStore, Timing, Usage

_START = 1_800_000_000_000_000_000


def record(store: RunStore, run_id: str, **told: Any) -> list[Any]:
    """A run with two calls and a check that its exit code passes and its report fails; gives its lines."""
    run = store.open_run(
        run_id, {"tachograph.task.id": "t", "tachograph.sweep.id": run_id[0], "tachograph.agent.name": "an-agent"}
    )
    with run.span("agent", "invoke_agent an-agent") as agent:
        run.calls_below = agent.get_span_context()
        for number in range(2):
            request = CallRequest(
                method="POST", path="/v1/chat/completions", query=None, server_address="api.example.com", server_port=443,
                api="chat_completions", provider="openai", model="m", streamed=False, session_id=None, body_hash="a" * 64,
                bytes=5, sent_body_hash=None, sent_bytes=None, head="Host: api.example.com",
            )  # fmt: skip
            opened = run.start_call(request, _START + number, None)
            response = CallResponse(
                status=200, model="m", id=None, upstream_request_id=None, finish_reasons=("stop",), tool_calls=(),
                body_hash="b" * 64, bytes=5, delivered_body_hash=None, delivered_bytes=5, head="",
            )  # fmt: skip
            ended = Call(
                run_id=run_id, span_id="", sequence=number + 1, attempt=1, outcome="completed", error_type=None, message=None,
                discarded=False, request=request, request_hash=str(number), response=response,
                usage=Usage(source="provider", input_tokens=100, output_tokens=10),
                timing=Timing(start_ns=_START + number, upstream_sent=1, first_byte_in=2, end=3), bodies_lost=None,
            )  # fmt: skip
            run.end_call(opened, ended)
    with run.span("check", "check t") as check:
        check.set_attributes({"process.exit.code": 0, "tachograph.check.stdout": run.keep(b"1 failed"), **told})
    run.close()
    return [json.loads(line) for line in (run.folder / "trace.jsonl").read_bytes().splitlines()]


def write(path: Path, lines: list[Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def tachograph(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line in this process: exit code, output, errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def scored(tachograph: Callable[..., tuple[int, str, str]]) -> Callable[..., dict[str, Any]]:
    """Scorecards by run id."""

    def score(*arguments: str | Path) -> dict[str, Any]:
        code, out, err = tachograph("score", *arguments, "--json")
        assert code == 0, err
        return {card["run_id"]: card for card in map(json.loads, out.splitlines())}

    return score


def axis(card: Any, name: str) -> Any:
    return next(value for value in card["axes"] if value["axis"] == name)


def test_what_stayed_behind_has_no_value(store: RunStore, scored: Any, tmp_path: Path) -> None:
    """Tokens and the recorder's verdict are in the spans; what needs bodies and snapshots is None, with the reason."""
    lines = record(store, "a", **{"tachograph.check.passed": False})
    card = scored(write(tmp_path / "spans.json", lines * 2))["a"]
    assert axis(card, "tokens")["value"] == 220
    assert (axis(card, "pass_rate")["value"], card["outcome"]["party"]) == (0, "agent")
    assert "not here" in axis(card, "pass_rate")["details"]["reason"]
    for name in ("blast_radius", "damage", "integrity", "refusal"):
        value = axis(card, name)
        assert (value["value"], bool(value["reason"])) == (None, True), value
    assert "a collector has no snapshots" in axis(card, "blast_radius")["reason"]


def test_a_verdict_that_was_not_recorded_is_not_made_up(store: RunStore, scored: Any, tmp_path: Path) -> None:
    """The exit code alone says yes; the outputs, which are elsewhere, may have said no."""
    card = scored(write(tmp_path / "spans.json", record(store, "a")))["a"]
    assert axis(card, "pass_rate")["value"] is None


def test_a_run_that_did_not_arrive_whole_is_not_scored(store: RunStore, scored: Any, tmp_path: Path) -> None:
    """A sum over the calls that arrived would be a wrong number; nor is the run anybody's failure."""
    lines = record(store, "a", **{"tachograph.check.passed": True})
    del lines[3]
    card = scored(write(tmp_path / "spans.json", lines))["a"]
    assert {value["value"] for value in card["axes"]} == {None}
    assert (card["outcome"]["party"], card["outcome"]["reason"]) == ("unknown", "incomplete")
    assert "1 lines of the run's journal did not arrive" in axis(card, "tokens")["reason"]


def test_a_run_that_may_go_on_has_bounds(store: RunStore, scored: Any, tmp_path: Path) -> None:
    """The end has not arrived: the sum is a lower bound, and the run neither failed nor was interrupted."""
    lines = record(store, "a", **{"tachograph.check.passed": True})
    card = scored(write(tmp_path / "spans.json", lines[:6]))["a"]
    assert (axis(card, "tokens")["bound"], card["outcome"]["party"]) == ("lower", "unknown")


def test_runs_are_chosen_and_compared(store: RunStore, scored: Any, tachograph: Any, tmp_path: Path) -> None:
    """By id, by its beginning, by conditions; more than fit one process; both sets from one place."""
    lines = [
        line
        for letter in "ab"
        for number in range(35)
        for line in record(store, f"{letter}-{number:02}", **{"tachograph.check.passed": letter == "a"})
    ]
    place = write(tmp_path / "collected" / "spans.json", lines).parent
    assert len(scored(place)) == 70
    assert list(scored("a-07", "--store", place)) == ["a-07"]
    assert len(scored("sweep=b", "--store", place)) == 35
    code, _, said = tachograph("score", "a-0", "--store", place)
    assert (code, "10 runs there have an id that begins with a-0" in said) == (2, True)
    code, _, said = tachograph("score", "c", "--store", place)
    assert (code, "no run there" in said) == (2, True)
    code, out, said = tachograph("compare", "sweep=a", "sweep=b", "--store", place, "--json")
    assert json.loads(out)["a"]["rate"]["strict"] == 1, said
    code, _, said = tachograph("compare", place, "sweep=b", "--store", place)
    assert (code, "in both sets" in said) == (2, True)
