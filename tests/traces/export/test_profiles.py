"""What each profile makes of a journal's lines, and of its scores."""

import copy
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tachograph.traces import Score, append_scores, read_spans
from tachograph.traces.export import PROFILES, FurtherRequest, Profile, TracesData
from tests.record_exported_run import SECOND, START, record

BACKENDS = ("phoenix", "langfuse", "mlflow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("store"))


def lines_of(folder: Path) -> list[TracesData]:
    return [orjson.loads(line) for line in (folder / "trace.jsonl").read_bytes().splitlines()]


def spans_in(data: TracesData | None) -> Iterator[dict[str, Any]]:
    for resource in (data or {}).get("resourceSpans", ()):
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


def told(span: dict[str, Any]) -> dict[str, Any]:
    def value(given: dict[str, Any]) -> Any:
        kind, content = next(iter(given.items()))
        return [value(item) for item in content["values"]] if kind == "arrayValue" else content

    return {pair["key"]: value(pair["value"]) for pair in span["attributes"]}


def sent(profile: Profile, folder: Path) -> list[dict[str, Any]]:
    """The spans that a backend gets of a run, in their order."""
    lines = [profile.rewrite(profile.enrich(line, folder)) for line in lines_of(folder)]
    return [span for line in lines for span in spans_in(line)]


def asked(profile: str, folder: Path) -> list[FurtherRequest]:
    return list(PROFILES[profile].further(lines_of(folder)))


def one(spans: list[dict[str, Any]], name: str, parent: str | None = None) -> dict[str, Any]:
    found = [span for span in spans if span["name"] == name and parent in (None, span.get("parentSpanId"))]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("name", PROFILES)
def test_the_line_that_is_read_stays_as_it_is(folder: Path, name: str) -> None:
    """A profile changes what is sent, and neither the journal nor what other profiles get."""
    profile = PROFILES[name]
    for line in lines_of(folder):
        before = copy.deepcopy(line)
        profile.rewrite(profile.enrich(line, folder))
        profile.further([line])
        assert line == before


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_goes_to_another_process(name: str) -> None:
    """The forwarder of `serve` is one."""
    assert pickle.loads(pickle.dumps(PROFILES[name])) == PROFILES[name]


def test_otlp_changes_nothing(folder: Path) -> None:
    """What is read back elsewhere gives the same run."""
    assert [PROFILES["otlp"].rewrite(line) for line in lines_of(folder)] == lines_of(folder)


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_gets_each_span_once(folder: Path, name: str) -> None:
    """None of the journal's own moments, each call once, and the tree: calls below the agent, the rest below the run."""
    spans = sent(PROFILES[name], folder)
    root, agent = one(spans, "run list-files"), one(spans, "invoke_agent a-coder")
    assert "parentSpanId" not in root
    assert agent["parentSpanId"] == root["spanId"]
    below = {span["name"] for span in spans if span.get("parentSpanId") == root["spanId"]}
    assert below == {"invoke_agent a-coder", "check list-files", "score pass_rate", "score tokens", "score cost"}
    calls = [span["name"] for span in spans if span.get("parentSpanId") == agent["spanId"]]
    assert sorted(calls) == ["chat claude-opus-4", "chat gpt-4o", "chat gpt-4o", "chat gpt-5"]
    assert len({span["spanId"] for span in spans}) == len(spans) == 11
    assert not [span["name"] for span in spans if span["name"].endswith(".start") or span["name"] == "seal"]
    assert not [key for span in spans for key in told(span) if key.startswith("tachograph.journal.")]


@pytest.mark.parametrize("name", BACKENDS)
def test_a_call_that_was_in_flight_is_sent_as_interrupted(folder: Path, name: str) -> None:
    """It is known by its announcement alone, which these backends are not sent."""
    interrupted = [span for span in sent(PROFILES[name], folder) if told(span).get("error.type") == "interrupted"]
    assert [span["name"] for span in interrupted] == ["chat gpt-4o"]
    span = interrupted[0]
    assert (span["kind"], span["status"]["code"]) == (3, 2)
    assert int(span["startTimeUnixNano"]) == START + 9 * SECOND
    assert told(span)["tachograph.call.outcome"] == "interrupted"
    assert not [key for key in told(span) if key.startswith("gen_ai.usage.")]


@pytest.mark.parametrize("name", BACKENDS)
def test_what_came_late_is_not_lost(folder: Path, name: str) -> None:
    """What was learnt of a call after its end stays a moment below it."""
    spans = sent(PROFILES[name], folder)
    tail = one(spans, "call.tail")
    assert told(tail)["tachograph.call.outcome"] == "client_disconnected"
    assert tail["parentSpanId"] in {span["spanId"] for span in spans if span["name"] == "chat gpt-4o"}


@pytest.mark.parametrize("name", PROFILES)
def test_tokens_stand_on_calls_alone(folder: Path, name: str) -> None:
    """Backends add up what they find anywhere in a trace."""
    total = 0
    for span in sent(PROFILES[name], folder):
        usage = {key: value for key, value in told(span).items() if key.startswith("gen_ai.usage.")}
        assert not usage or told(span)["tachograph.span"] == "call"
        total += int(usage.get("gen_ai.usage.input_tokens", 0))
    assert total == 300


@pytest.mark.parametrize("name", BACKENDS)
def test_a_run_that_was_killed(tmp_path: Path, name: str) -> None:
    """It has no root, no agent's span and no seal: they are made of its announcements, as they stand in the journal."""
    folder = record(tmp_path, killed=True)
    profile = PROFILES[name]
    before = sent(profile, folder)
    made = list(spans_in(profile.rewrite(profile.left_open(folder))))
    assert {span["name"] for span in made} == {"run list-files", "invoke_agent a-coder", "chat gpt-4o"}
    assert not {span["spanId"] for span in made} & {span["spanId"] for span in before}
    root, agent = one(made, "run list-files"), one(made, "invoke_agent a-coder")
    assert agent["parentSpanId"] == root["spanId"]
    assert one(made, "chat gpt-4o")["parentSpanId"] == agent["spanId"]
    assert {span["parentSpanId"] for span in before if told(span)["tachograph.span"] == "call"} == {agent["spanId"]}
    assert list(spans_in(profile.rewrite(profile.left_open(folder)))) == made


def test_a_sealed_run_was_not_left_open(folder: Path) -> None:
    """What it lacks went with its seal."""
    assert not list(spans_in(PROFILES["phoenix"].left_open(folder)))


def test_journals_announcements_go_to_collectors() -> None:
    """They are read back there as they are here."""
    for name in ("otlp", "genai-dev"):
        assert not list(spans_in(PROFILES[name].left_open(Path("nowhere"))))


def test_phoenix_reads_these_under_other_names(folder: Path) -> None:
    """Reasoning tokens, and what has no convention as metadata."""
    spans = sent(PROFILES["phoenix"], folder)
    assert told(one(spans, "chat gpt-5"))["llm.token_count.completion_details.reasoning"] == "25"
    metadata = json.loads(told(one(spans, "run list-files"))["metadata"])
    assert metadata["task.id"] == "list-files"
    assert not [name for name in metadata if name.startswith("journal.")]
    assert PROFILES["phoenix"].protocols == ("http/protobuf",)


def test_langfuse_reads_these_under_other_names(folder: Path) -> None:
    """By what its ingestion reads: the first token's moment of streams, a trace's name and tags."""
    spans = sent(PROFILES["langfuse"], folder)
    streamed = next(span for span in spans if span["name"] == "chat gpt-4o" and "gen_ai.response.id" in told(span))
    moment = told(streamed)["langfuse.observation.completion_start_time"]
    assert moment.endswith("Z")
    assert "langfuse.observation.completion_start_time" not in told(one(spans, "chat claude-opus-4"))
    run = told(one(spans, "run list-files"))
    assert run["langfuse.trace.name"] == "list-files"
    assert run["langfuse.trace.tags"] == ["agent:a-coder", "model:gpt-4o", "task:list-files"]
    assert PROFILES["langfuse"].path == "/api/public/otel/v1/traces"


def test_langfuse_gets_a_calls_cost_if_it_is_known(folder: Path) -> None:
    """As the total that it does not work out itself."""
    line = next(line for line in lines_of(folder) if "chat gpt-5" in {span["name"] for span in spans_in(line)})
    span = next(spans_in(line))
    span["attributes"].append({"key": "tachograph.cost.usd", "value": {"doubleValue": 0.25}})
    assert told(next(spans_in(PROFILES["langfuse"].rewrite(line))))["gen_ai.usage.cost"] == 0.25


def test_the_conventions_in_the_making(folder: Path) -> None:
    """Cached input that was written has another name there; all lines are sent."""
    spans = sent(PROFILES["genai-dev"], folder)
    assert len(spans) == sum(1 for _ in read_spans(folder))
    call = told(one(spans, "chat claude-opus-4"))
    assert call["gen_ai.usage.cache_write.input_tokens"] == "30"
    assert "gen_ai.usage.cache_creation.input_tokens" not in call


def test_scores_are_annotations_of_phoenix(folder: Path) -> None:
    """Of the run's span, with an identifier by which the same score takes its own place."""
    (request,) = asked("phoenix", folder)
    found = {annotation["name"]: annotation for annotation in json.loads(request.body)["data"]}
    assert request.path == "/v1/span_annotations"
    root = one(sent(PROFILES["phoenix"], folder), "run list-files")["spanId"]
    assert {annotation["span_id"] for annotation in found.values()} == {root}
    assert found["pass_rate"]["result"] == {"score": 1.0, "label": "pass"}
    assert found["pass_rate"]["identifier"] == "tachograph:pass_rate/exit@1"
    assert found["cost"]["result"] == {"label": "missing", "explanation": "the model has no known price"}


def test_scores_are_scores_of_langfuse(folder: Path) -> None:
    """One that has no value is its label, and never a number."""
    found = {(score := json.loads(request.body))["name"]: score for request in asked("langfuse", folder)}
    assert found["tokens"]["dataType"] == "NUMERIC"
    assert found["tokens"]["value"] == 370.0
    assert (found["cost"]["dataType"], found["cost"]["value"]) == ("CATEGORICAL", "missing")
    assert found["cost"]["comment"] == "the model has no known price"
    assert len({score["id"] for score in found.values()}) == 3


def test_scores_are_feedback_of_mlflow(folder: Path) -> None:
    """Taken away and made again, since it has no upsert; an error where there is no value."""
    requests = asked("mlflow", folder)
    assert [request.method for request in requests] == ["DELETE", "POST"] * 3
    made = [json.loads(request.body)["assessment"] for request in requests[1::2]]
    assert [request.path.rpartition("/")[2] for request in requests[::2]] == [one["assessment_id"] for one in made]
    found = {one["assessment_name"]: one["feedback"] for one in made}
    assert found["pass_rate"] == {"value": 1.0}
    assert found["cost"]["error"] == {"error_code": "missing", "error_message": "the model has no known price"}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_newer_score_takes_the_older_ones_place(tmp_path: Path, name: str) -> None:
    """Also when both are sent at once."""
    folder = record(tmp_path)
    again = Score(axis="tokens", value=371.0, attributes={"formula": "tokens/told", "version": 1})
    append_scores(folder, folder.name, START, [again])
    bodies = b"".join(request.body for request in asked(name, folder))
    assert b"371" in bodies
    assert b"370" not in bodies


@pytest.mark.parametrize("name", PROFILES)
def test_evaluation_events_go_everywhere(folder: Path, name: str) -> None:
    """In the form of the conventions; one without a value says why."""
    events = {span["name"]: span["events"][0] for span in sent(PROFILES[name], folder) if span.get("events")}
    assert set(events) == {"score pass_rate", "score tokens", "score cost"}
    assert {event["name"] for event in events.values()} == {"gen_ai.evaluation.result"}
    keys = {pair["key"] for pair in events["score cost"]["attributes"]}
    assert "gen_ai.evaluation.score.value" not in keys
    assert "gen_ai.evaluation.explanation" in keys


def test_spans_of_others_pass(tmp_path: Path) -> None:
    """A line that holds no span of this project's is sent as it is."""
    span = {"traceId": "0" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    line = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    for name in BACKENDS:
        assert [one["name"] for one in spans_in(PROFILES[name].rewrite(PROFILES[name].enrich(line, tmp_path)))] == ["x"]
