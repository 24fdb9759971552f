"""What a call said in the JSON of the GenAI conventions, by each API."""

from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.formats import genai_content
from tachograph.traces import BodyReader, read_run
from tests.record_exported_run import TOOL, record


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, list[Any]], str | None]]:
    """By model and outcome."""
    folder = record(tmp_path_factory.mktemp("store"))
    bodies = BodyReader(folder / "bodies")
    calls = read_run(folder).calls
    return {f"{call.request.model} {call.outcome}": genai_content(call, bodies) for call in calls}


def text(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def test_chat_completions(said: dict[str, Any]) -> None:
    """A system message within the history stays there; a streamed answer is put together."""
    content, missing = said["gpt-4o client_disconnected"]
    assert missing is None
    assert content == {
        "gen_ai.input.messages": [text("system", "be brief"), text("user", "list the files")],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "I will look."},
                    {"type": "tool_call", "id": "c1", "name": "bash", "arguments": {"cmd": "ls"}},
                ],
                "finish_reason": "tool_call",
            }
        ],
        "gen_ai.tool.definitions": [{"type": "function", **TOOL}],
    }


def test_messages(said: dict[str, Any]) -> None:
    """Anthropic's system prompt stands outside of the history."""
    content, _ = said["claude-opus-4 completed"]
    assert content["gen_ai.system_instructions"] == [{"type": "text", "content": "you are an agent"}]
    assert content["gen_ai.input.messages"] == [
        text("user", "list the files"),
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "t1", "name": "bash", "arguments": {"cmd": "ls"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": "a.txt"}]},
    ]
    assert content["gen_ai.output.messages"] == [text("assistant", "There is one file.") | {"finish_reason": "stop"}]
    assert content["gen_ai.tool.definitions"] == [
        {"type": "function", "name": "bash", "parameters": {"type": "object"}}
    ]


def test_responses(said: dict[str, Any]) -> None:
    """Instructions stand outside of the input; reasoning is a part of its own."""
    content, _ = said["gpt-5 completed"]
    assert content["gen_ai.system_instructions"] == [{"type": "text", "content": "think"}]
    assert content["gen_ai.input.messages"] == [text("user", "and now?")]
    (answer,) = content["gen_ai.output.messages"]
    assert [part["type"] for part in answer["parts"]] == ["reasoning", "text"]


def test_a_call_without_an_answer(said: dict[str, Any]) -> None:
    """What was asked is told, and why nothing was answered."""
    content, missing = said["gpt-4o interrupted"]
    assert "gen_ai.output.messages" not in content
    assert content["gen_ai.input.messages"]
    assert missing == "answer: the call was interrupted before an answer was recorded"


def test_bodies_that_were_not_kept(tmp_path: Path) -> None:
    """No content, and the reason."""
    folder = record(tmp_path, keep=False)
    call = read_run(folder).calls[0]
    content, missing = genai_content(call, BodyReader(folder / "bodies"))
    assert content == {}
    assert missing is not None
    assert "were not kept: --bodies hash" in missing
