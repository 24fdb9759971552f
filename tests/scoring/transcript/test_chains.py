"""Where the provider remembers what was said, each message is told once all the same."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation


def message(role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def ask(conversation: "Conversation", number: int, previous: int | None, asked: list[Any], answer: str) -> None:
    request: dict[str, Any] = {"instructions": "You are an agent.", "input": asked}
    if previous is not None:
        request["previous_response_id"] = f"resp_{previous}"
    answered = json.dumps({"id": f"resp_{number}", "output": [message("assistant", answer)]})
    conversation.call(
        json.dumps(request).encode(),
        answered.encode(),
        api="responses",
        response_id=f"resp_{number}",
        previous_response_id=request.get("previous_response_id"),
    )


def added(conversation: "Conversation") -> list[list[str]]:
    return [[said.text for said in turn.added or ()] for turn in conversation.turns()]


def test_a_request_that_goes_on_from_an_answer(conversation: "Conversation") -> None:
    """The instructions that come again are not new, what the user says again is."""
    ask(conversation, 1, None, [message("user", "go on")], "one")
    ask(conversation, 2, 1, [message("user", "go on")], "two")
    ask(conversation, 3, 2, [message("user", "go on"), message("user", "stop")], "three")
    assert added(conversation) == [["You are an agent.", "go on"], ["go on"], ["go on", "stop"]]


def test_a_history_that_is_sent_whole_after_all(conversation: "Conversation") -> None:
    """An agent that falls back to sending everything says nothing new by that."""
    ask(conversation, 1, None, [message("user", "a")], "one")
    ask(conversation, 2, 1, [message("user", "b")], "two")
    history = [("user", "a"), ("assistant", "one"), ("user", "b"), ("assistant", "two"), ("user", "c")]
    ask(conversation, 3, None, [message(role, text) for role, text in history], "three")
    assert added(conversation)[2] == ["c"]


def test_two_that_go_on_from_one(conversation: "Conversation") -> None:
    """A conversation may fork: both branches hold what came before."""
    ask(conversation, 1, None, [message("user", "a")], "one")
    ask(conversation, 2, 1, [message("user", "b")], "two")
    ask(conversation, 3, 1, [message("user", "b"), message("user", "a")], "three")
    assert added(conversation)[1:] == [["b"], ["a"]]


def test_an_answer_that_the_run_does_not_hold(conversation: "Conversation") -> None:
    """What is not known is not told; ids that name themselves lead nowhere."""
    ask(conversation, 1, 7, [message("user", "a")], "one")
    ask(conversation, 2, 2, [message("user", "b")], "two")
    ask(conversation, 2, 2, [message("user", "b")], "two")
    assert added(conversation) == [["You are an agent.", "a"], ["b"], ["b"]]
