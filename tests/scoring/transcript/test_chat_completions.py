"""Chat Completions as servers really answer: whole or in deltas, with or without indexes, with members of their own."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.transcript import Message, ToolInvocation
from tachograph.scoring.transcript._body import parse_events
from tachograph.scoring.transcript._chat_completions import CHAT_COMPLETIONS

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation


def stream(*deltas: dict[str, Any], end: bytes = b"\n") -> bytes:
    events = [b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() for delta in deltas]
    return b"".join(event + end * 2 for event in (*events, b"data: [DONE]"))


def answers(body: bytes) -> tuple[Message, ...]:
    return CHAT_COMPLETIONS.streamed_answer(parse_events(body))


def call(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    told = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [{member: value for member, value in told.items() if value is not None}]}


A = ToolInvocation(id="a", name="read", arguments='{"p": 1}')
B = ToolInvocation(id="b", name="edit", arguments='{"q": 2}')
TWO_CALLS = {
    "by index, interleaved": [
        call(0, "a", "read", ""),
        call(1, "b", "edit", ""),
        call(0, None, None, '{"p"'),
        call(1, None, None, '{"q"'),
        call(0, None, None, ": 1}"),
        call(1, None, None, ": 2}"),
    ],
    "without an index": [
        call(None, "a", "read", '{"p"'),
        call(None, None, None, ": 1}"),
        call(None, "b", "edit", '{"q": 2}'),
    ],
    "index 0 for both": [call(0, "a", "read", '{"p": 1}'), call(0, "b", "edit", '{"q": 2}')],
    "the id with each delta": [
        call(0, "a", "read", ""),
        call(0, "a", None, '{"p": 1}'),
        call(1, "b", "edit", ""),
        call(1, "b", None, '{"q": 2}'),
    ],
    "both at once": [
        {
            "tool_calls": [
                *call(0, "a", "read", '{"p": 1}')["tool_calls"],
                *call(1, "b", "edit", '{"q": 2}')["tool_calls"],
            ]
        }
    ],
}


@pytest.mark.parametrize("deltas", TWO_CALLS.values(), ids=TWO_CALLS.keys())
def test_tool_calls_are_put_together(deltas: list[dict[str, Any]]) -> None:
    """Whatever a server tells of index and id, two calls stay two, each with its own arguments."""
    (answer,) = answers(stream(*deltas))
    assert answer.tool_calls == (A, B)
    assert answer.text == ""


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(text=texts, reasoning=texts, refusal=texts, arguments=st.lists(texts, max_size=3), data=st.data())
def test_a_stream_says_what_the_whole_answer_says(
    text: str, reasoning: str, refusal: str, arguments: list[str], data: st.DataObject
) -> None:
    """Wherever deltas are cut, and however events are framed."""
    calls = [
        {"id": f"c{index}", "type": "function", "function": {"name": "tool", "arguments": argument}}
        for index, argument in enumerate(arguments)
    ]
    told = {"content": text, "reasoning_content": reasoning, "refusal": refusal}
    whole = {"role": "assistant", **told, "tool_calls": calls}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    for member, value in told.items():
        cut = data.draw(st.integers(0, len(value)))
        deltas += [{member: value[:cut]}, {member: value[cut:]}]
    for index, argument in enumerate(arguments):
        cut = data.draw(st.integers(0, len(argument)))
        deltas += [call(index, f"c{index}", "tool", argument[:cut]), call(index, None, None, argument[cut:])]
    end = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    body = data.draw(st.sampled_from([b"", b": ping\n\n", b"event: message\n"])) + stream(*deltas, end=end)
    assert answers(body) == CHAT_COMPLETIONS.whole_answer({"choices": [{"index": 0, "message": whole}]})


def test_choices_come_in_their_order() -> None:
    """By index, however their deltas are mixed; without one, by position."""
    events = [
        {"choices": [{"index": 1, "delta": {"content": "B"}}]},
        {"choices": [{"index": 0, "delta": {"content": "a"}}]},
        {"choices": [{"index": 1, "delta": {"content": "b"}}]},
    ]
    assert [answer.text for answer in CHAT_COMPLETIONS.streamed_answer(events)] == ["a", "Bb"]
    whole = {"choices": [{"message": {"content": "one"}}, {"message": {"content": "two"}}]}
    assert [answer.text for answer in CHAT_COMPLETIONS.whole_answer(whole)] == ["one", "two"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"content": "x", "reasoning": "r"}, Message(role="assistant", text="x", reasoning="r")),
        (
            {"content": "x", "reasoning": "r", "reasoning_content": "r"},
            Message(role="assistant", text="x", reasoning="r"),
        ),
        ({"content": None, "refusal": "I can't."}, Message(role="assistant", refusal="I can't.")),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, Message(role="assistant", refusal="No.")),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "x"},
                ]
            },
            Message(role="assistant", text="x", reasoning="hm"),
        ),
        (
            {"function_call": {"name": "f", "arguments": "{}"}},
            Message(role="assistant", tool_calls=(ToolInvocation(id=None, name="f", arguments="{}"),)),
        ),
        (
            {"tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "apply_patch", "input": "*** Begin"}}]},
            Message(role="assistant", tool_calls=(ToolInvocation(id="1", name="apply_patch", arguments="*** Begin"),)),
        ),
        (
            {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}]},
            Message(role="assistant", tool_calls=(ToolInvocation(id="1", name="f", arguments='{"a": 1}'),)),
        ),
        ({}, Message(role="assistant")),
    ],
)
def test_what_dialects_add(said: dict[str, Any], expected: Message) -> None:
    """Reasoning, refusals and tool calls are found wherever a server puts them."""
    assert CHAT_COMPLETIONS.whole_answer({"choices": [{"message": said}]}) == (expected,)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"role": "developer", "content": "x"}, Message(role="system", text="x")),
        ({"role": "function", "name": "f", "content": "x"}, Message(role="tool", text="x", tool_call_id="f")),
        (
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "x"}]},
            Message(role="tool", text="x", tool_call_id="1"),
        ),
        (
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image_url", "image_url": {}},
                    {"type": "input_audio"},
                    {"type": "file"},
                ],
            },
            Message(role="user", text="see\n[image]\n[audio]\n[file]"),
        ),
    ],
)
def test_what_requests_hold(sent: dict[str, Any], expected: Message) -> None:
    """Older and newer roles are one; parts that are not text stand as what they are."""
    assert CHAT_COMPLETIONS.messages(sent) == (expected,)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_stream_that_was_cut(conversation: "Conversation", cut: int) -> None:
    """What had come whole is what was said; half an event says nothing."""
    body = stream({"content": "one"}, {"content": "two"})
    end = body.index(b"[DONE]") - cut
    conversation.call(b'{"messages":[]}', body[:end], outcome="upstream_cut")
    turn = conversation.turn()
    assert turn.answers is not None, turn.unreadable
    assert "".join(answer.text for answer in turn.answers) in {"onetwo", "one"}


def test_events_of_several_lines() -> None:
    """Lines of data are one text; comments, types and ids say nothing."""
    body = b': hello\n\nid: 1\nevent: x\ndata: {"choices":\ndata: [{"delta":{"content":"x"}}]}\n\n\n\ndata:[DONE]\n\n'
    assert answers(body) == (Message(role="assistant", text="x"),)
