"""The published cell as a run's folder: all that its page showed is on the page of that run, item by item."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.pages import page_document

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "reference_cell.json").read_text())
MILLISECOND = 1_000_000
KEY = "sk-" + "or-v1-" + "0123456789abcdef" * 4
IMAGE = "codingagentbench/aider:v0.86.0"
ARGV = ["aider", "--model", f"openai/{PUBLISHED['model']}", "--openai-api-key", KEY, "--yes"]
SPANS: list[tuple[str, str, int, int, dict[str, Any]]] = [
    (
        "task_setup",
        "prepare",
        0,
        19,
        {"workdir": "/work", "task_category": "mutations", "plugin_stack": [], "behavior_mode": "factory"},
    ),
    ("task_setup", "aider:git-init-marker", 19, 0, {}),
    (
        "tool_call",
        "applied_plugins",
        19,
        0,
        {"count": 0, "applied": [], "env_keys": [], "extra_args": [], "skipped_count": 0},
    ),
    (
        "container",
        "aider:launch",
        19,
        17069,
        {"image": IMAGE, "argv": ARGV, "timeout_s": 600, "exit_code": 0, "duration_s": 14.8, "timed_out": False},
    ),
    ("adapter_run", "adapter_run", 18, 36660, {}),
    ("cleanup", "cleanup", 36678, 0, {}),
]
"""Kind, name, start, duration and attributes. The starts are not published: they are put in a row."""
CAST = (
    '{"version": 2, "width": 80, "height": 24}\n'
    '[0.5, "o", "Applied edit to src/lib.rs\\r\\n"]\n'
    '[14.2, "o", "Tokens: 1.3k sent, 606 received.\\r\\n"]\n'
)


def record_spans(run: Any, start: int, _: int) -> None:
    for kind, name, begin, duration, attributes in SPANS:
        begin_ns = start + begin * MILLISECOND
        with run.span(kind, name, start_ns=begin_ns, attributes=attributes) as span:
            span.end(end_time=begin_ns + duration * MILLISECOND)


@pytest.fixture
def folder(cell: Callable[..., Path]) -> Path:
    attributes = {
        "gen_ai.agent.version": PUBLISHED["agent_version"],
        "tachograph.agent.adapter": True,
        "tachograph.agent.argv": ARGV,
        "container.image.name": IMAGE,
        "oci.manifest.digest": "sha256:" + "f2cd" + "0" * 56 + "00a7",
    }
    return cell(attributes=attributes, cast=CAST, during=record_spans)


@pytest.fixture
def document(folder: Path) -> dict[str, Any]:
    return page_document(folder, ["tachograph-2026-11", "cab-2026-05"])


def axis(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(value for value in document["scorecard"]["axes"] if value["axis"] == name)
    return found


def fact(document: dict[str, Any], label: str) -> dict[str, Any]:
    found: dict[str, Any] = next(fact for fact in document["identity"] if fact["label"] == label)
    return found


def test_1_the_score_of_each_axis(document: dict[str, Any]) -> None:
    """The published numbers. Tokens, which they left blank, are none here, too, and have a reason; not to refuse was right."""
    assert axis(document, "pass_rate")["value"] == 1
    assert axis(document, "latency")["value"] == 36678.769
    assert axis(document, "blast_radius")["value"] == 6 / 7
    assert axis(document, "integrity")["value"] == 1
    tokens, refusal = axis(document, "tokens"), axis(document, "refusal")
    assert (tokens["value"], tokens["status"]) == (None, "missing")
    assert tokens["reason"]
    assert (refusal["value"], refusal["details"]["expected_refusal"]) == (1, False)
    assert document["scorecard"]["composites"][0]["lower"] < document["scorecard"]["composites"][0]["upper"]


def test_2_which_run_it_is(document: dict[str, Any]) -> None:
    """Every line of the published identity; what is not known stands there, with the reason."""
    assert document["title"] == fact(document, "Cell")["value"] == PUBLISHED["cell_id"]
    assert fact(document, "Sweep")["value"] == PUBLISHED["sweep_id"]
    assert fact(document, "Container image")["value"] == IMAGE
    assert fact(document, "Image digest")["value"].startswith("sha256:f2cd")
    build = fact(document, "Build")
    assert (build["value"], build["note"]) == (None, "no call was recorded")
    assert fact(document, "Exit code")["value"] == "0"
    assert (fact(document, "Agent")["value"], fact(document, "Version")["value"]) == ("aider", "v0.86.0")


def test_3_when_and_how_much(document: dict[str, Any]) -> None:
    """Start and end as published, the time in shares that add up to it, and what the terminal said of tokens."""
    assert fact(document, "Started")["value"] == PUBLISHED["started_at"]
    assert fact(document, "Ended")["value"] == PUBLISHED["ended_at"]
    assert document["wall_ms"] == 36678.769
    assert sum(share["ms"] or 0 for share in document["time"]) == pytest.approx(36678.769, abs=1e-6)
    report = axis(document, "tokens")["details"]["agent_report"]
    assert (report["prompt_tokens"], report["completion_tokens"]) == (1300, 606)
    assert fact(document, "Its own report")["value"] == "Tokens: 1.3k sent, 606 received."


def test_4_the_breakdown(cell: Callable[..., Path]) -> None:
    """Axis by axis all keys as published beside it, and our own with their formulas."""
    document = page_document(cell(during=record_spans), ["tachograph-2026-11", "cab-2026-05"])
    published = document["published"]
    assert {name: keys.keys() for name, keys in published.items()} == {
        name: keys.keys() for name, keys in PUBLISHED["breakdown"].items()
    }
    assert published["composite"] == PUBLISHED["breakdown"]["composite"]
    assert published["blast_radius"] == PUBLISHED["breakdown"]["blast_radius"]
    assert published["latency"] == PUBLISHED["breakdown"]["latency"]
    assert all(value["formula"] and value["details"] is not None for value in document["scorecard"]["axes"])


def test_5_the_replay(document: dict[str, Any]) -> None:
    """Each span with its start and duration; what overlaps is in lanes of its own."""
    spans = {span["name"]: span for span in document["spans"]}
    launch = spans["aider:launch"]
    assert launch["end_ms"] - launch["start_ms"] == pytest.approx(17069)
    assert launch["lane"] != spans["adapter_run"]["lane"]
    assert (document["origin_ms"], document["wall_ms"]) == (1779934438386.444, 36678.769)


def test_6_the_terminal(document: dict[str, Any]) -> None:
    """What it showed, by the clock of the run; the line that tells the tokens can be read."""
    terminal = document["terminal"]
    assert (terminal["columns"], terminal["rows"], terminal["start_ms"]) == (80, 24, 0)
    assert [picture["at_ms"] for picture in terminal["pictures"]][-1] == 14_200
    lines = ["".join(text for text, _ in line) for line in terminal["lines"]]
    assert "Tokens: 1.3k sent, 606 received." in [line.rstrip() for line in lines]
    assert "terminal" not in document["reasons"]


def test_7_run_it_yourself(document: dict[str, Any]) -> None:
    """The command with task, agent and model; where the model was is not known without a call, and is said to be."""
    assert document["rerun"]["exact"] == (
        "tachograph run --task mutations/rust-error-negated --model mistralai/mistral-small-4-119b-2603"
        ' --upstream "$OPENAI_BASE_URL" --sweep free-20260527 --agent aider'
    )
    assert any("no call tells where the model is" in note for note in document["rerun"]["notes"])


def test_8_with_your_own_model(document: dict[str, Any]) -> None:
    """The same with endpoint, model and key of the environment."""
    assert document["rerun"]["own"] == (
        'tachograph run --task mutations/rust-error-negated --model "$MODEL" --upstream "$OPENAI_BASE_URL"'
        " --sweep free-20260527 --agent aider"
    )
    assert any("OPENAI_API_KEY" in note for note in document["rerun"]["notes"])


def test_9_the_spans(document: dict[str, Any]) -> None:
    """All six, with kind, name, duration and every attribute; but for the key, which the published page shows."""
    told = {span["name"]: span for span in document["spans"]}
    for kind, name, _, duration, attributes in SPANS:
        span = told[name]
        assert span["kind"] == kind
        assert span["end_ms"] - span["start_ms"] == pytest.approx(duration)
        assert [key for key, _ in span["attributes"]] == sorted(attributes)
    assert dict(told["prepare"]["attributes"])["behavior_mode"] == "factory"
    assert dict(told["aider:launch"]["attributes"])["duration_s"] == "14.8"
    assert KEY not in json.dumps(document)
    assert "[masked" in dict(told["aider:launch"]["attributes"])["argv"]


def test_10_the_calls(document: dict[str, Any]) -> None:
    """There are none, and the page says so; no number of theirs is 0."""
    assert document["calls"] == document["messages"] == []
    assert document["reasons"]["calls"] == "per-call records were not captured for this run"
    assert axis(document, "tokens")["details"]["prompt_tokens"] is None


def test_11_other_runs(document: dict[str, Any]) -> None:
    """A page by itself has none beside it, and says so."""
    assert document["siblings"] is None
    assert document["reasons"]["siblings"]


def test_12_embedding(document: dict[str, Any]) -> None:
    """Badge, Markdown, HTML and a card to frame."""
    assert {name: type(text) for name, text in document["embed"].items()} == dict.fromkeys(
        ("badge", "markdown", "html", "iframe"), str
    )
