"""Legacy Completions: a prompt, and the texts that go on from it."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("def add(", ["def add("]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], ["[tokens]"]),
        ([[1], [2]], ["[tokens]", "[tokens]"]),
    ],
)
def test_prompts(conversation: "Conversation", prompt: Any, told: list[str]) -> None:
    """One text, several, or tokens, which nobody can read."""
    conversation.call(
        json.dumps({"prompt": prompt}).encode(), b'{"choices":[{"index":0,"text":"x"}]}', api="completions"
    )
    turn = conversation.turn()
    assert [(message.role, message.text) for message in turn.added or ()] == [("user", text) for text in told]
    assert turn.tools == ()


def test_choices(conversation: "Conversation") -> None:
    """Each choice is put together from its pieces, whatever their order."""
    pieces = [(1, "b"), (0, "a"), (1, "b"), (0, None)]
    chunks = [{"choices": [{"index": index, "text": text, "finish_reason": None}]} for index, text in pieces]
    stream = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
    conversation.call(b'{"prompt":"x"}', stream, api="completions")
    assert [message.text for message in conversation.turn().answers or ()] == ["a", "bb"]


def test_no_prompt(conversation: "Conversation") -> None:
    """A request without one says so."""
    conversation.call(b"{}", b'{"choices":[]}', api="completions")
    assert conversation.turn().unreadable == "request: it has no prompt"
