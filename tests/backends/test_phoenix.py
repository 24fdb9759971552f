"""Arize Phoenix, read back through its own API."""

import shutil
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.backends.conftest import Backend, Starter, free_port, installed
from tests.record_exported_run import RUN, record

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def phoenix(start: Starter) -> Backend:
    port = free_port()
    return start(
        [installed("phoenix") / "bin/phoenix", "serve"],
        port,
        "/healthz",
        PHOENIX_WORKING_DIR=".",
        PHOENIX_HOST="127.0.0.1",
        PHOENIX_PORT=str(port),
        PHOENIX_GRPC_PORT=str(free_port()),
        # It must not reach outside.
        PHOENIX_TELEMETRY_ENABLED="false",
        PHOENIX_ALLOW_EXTERNAL_RESOURCES="false",
        PHOENIX_DISABLE_AGENT_ASSISTANT="true",
        PHOENIX_AGENTS_DISABLE_WEB_ACCESS="true",
    )


def spans_of(phoenix: Backend, run: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = phoenix.ask("/v1/projects/tachograph/spans?limit=500")["data"]
    except HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return []  # it makes a project when it writes the first span of it, after it answered
    return [span for span in found if span["attributes"].get("session.id") == run]


def annotations_of(phoenix: Backend, root: str) -> dict[str, Any]:
    found = phoenix.ask(f"/v1/projects/tachograph/span_annotations?span_ids={root}&limit=100")["data"]
    assert len({one["name"] for one in found}) == len(found)
    return {one["name"]: one["result"] for one in found}


def has_scores(phoenix: Backend, root: str) -> bool:
    return len(annotations_of(phoenix, root)) >= 3


def send(tachograph: Any, phoenix: Backend, store: Path, run: str, *options: str) -> None:
    done = tachograph("export", "--store", store, run, "--to", phoenix.url, "--profile", "phoenix", *options)
    assert done.returncode == 0, done.stderr


def test_a_run_in_phoenix(phoenix: Backend, tachograph: Any, tmp_path: Path) -> None:
    """Calls with tokens, session and messages, the tree, the scores; sending all of it again doubles nothing."""
    record(tmp_path)
    for _ in range(2):
        send(tachograph, phoenix, tmp_path, RUN, "--content")
        phoenix.wait_until(lambda: len(spans_of(phoenix, RUN)) >= 11)
        spans = spans_of(phoenix, RUN)
        assert len(spans) == 11
        by_name = {span["name"]: span for span in spans}
        root, agent = by_name["run list-files"], by_name["invoke_agent a-coder"]
        own_id = root["context"]["span_id"]
        phoenix.wait_until(partial(has_scores, phoenix, own_id))
        assert (root["parent_id"], agent["parent_id"]) == (None, own_id)
        assert (root["span_kind"], agent["span_kind"]) == ("CHAIN", "AGENT")
        calls = [span for span in spans if span["span_kind"] == "LLM"]
        assert len(calls) == 4
        assert {span["parent_id"] for span in calls} == {agent["context"]["span_id"]}
        told = by_name["chat claude-opus-4"]["attributes"]
        assert told["llm.token_count.prompt"] == 150
        assert told["llm.token_count.prompt_details.cache_read"] == 60
        assert told["llm.token_count.prompt_details.cache_write"] == 30
        assert told["llm.input_messages.0.message.content"] == "you are an agent"
        assert told["llm.output_messages.0.message.content"] == "There is one file."
        assert by_name["chat gpt-5"]["attributes"]["llm.token_count.completion_details.reasoning"] == 25
        assert sum(span["attributes"].get("llm.token_count.prompt", 0) for span in spans) == 300
        assert annotations_of(phoenix, own_id) == {
            "pass_rate": {"score": 1.0, "label": "pass", "explanation": None},
            "tokens": {"score": 370.0, "label": "measured", "explanation": None},
            "cost": {"score": None, "label": "missing", "explanation": "the model has no known price"},
        }
        shutil.rmtree(tmp_path / ".exports")


def test_nothing_that_was_said_unless_asked(phoenix: Backend, tachograph: Any, tmp_path: Path) -> None:
    """The messages stay here; the calls are there all the same."""
    record(tmp_path, "quiet")
    send(tachograph, phoenix, tmp_path, "quiet")
    phoenix.wait_until(lambda: len(spans_of(phoenix, "quiet")) >= 11)
    told = {name for span in spans_of(phoenix, "quiet") for name in span["attributes"]}
    assert not [name for name in told if "messages" in name or "tools" in name]


def test_a_run_that_was_killed_in_phoenix(phoenix: Backend, tachograph: Any, tmp_path: Path) -> None:
    """Its root, its agent and the call in flight are there, with errors."""
    record(tmp_path, "killed", killed=True)
    send(tachograph, phoenix, tmp_path, "killed")
    phoenix.wait_until(lambda: len(spans_of(phoenix, "killed")) >= 7)
    spans = spans_of(phoenix, "killed")
    assert len(spans) == 7
    assert sorted(span["name"] for span in spans if span["status_code"] == "ERROR") == [
        "chat gpt-4o",
        "invoke_agent a-coder",
        "run list-files",
    ]
    assert sum(span["parent_id"] is None for span in spans) == 1
