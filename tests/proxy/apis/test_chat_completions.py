"""What a chat completion says is read from every dialect, and is the same however its bytes come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.proxy.apis import CHAT_COMPLETIONS, Answer, TokenCounts
from tachograph.traces import ToolCall

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 20,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 7},
}
COUNTS = TokenCounts(input_tokens=10, output_tokens=20, cache_read_tokens=4, reasoning_tokens=7)


def event(said: object) -> bytes:
    return b"data: " + (said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()) + b"\n\n"


def delta(content: dict[str, Any], finish: str | None = None, index: int = 0, **more: object) -> dict[str, Any]:
    return {
        "id": "c1",
        "model": "m-1",
        "choices": [{"index": index, "delta": content, "finish_reason": finish, **more}],
    }


def streamed(*said: object) -> Answer:
    reader = CHAT_COMPLETIONS.stream_reader()
    for one in said:
        reader.feed(event(one))
    return reader.finish()


def whole(said: object) -> Answer:
    reader = CHAT_COMPLETIONS.whole_reader()
    reader.feed(said if isinstance(said, bytes) else json.dumps(said).encode())
    return reader.finish()


def tool(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    call = {"index": index, "id": call_id, "type": "function", "function": function}
    return {key: value for key, value in call.items() if value is not None}


def tools(*deltas: dict[str, Any]) -> tuple[ToolCall, ...]:
    return streamed(*(delta({"tool_calls": [one]}) for one in deltas)).tool_calls


def call(index: int, call_id: str | None, name: str | None, size: int, choice: int = 0) -> ToolCall:
    return ToolCall(choice=choice, index=index, id=call_id, name=name, arguments_bytes=size)


STREAM = b"".join(
    (
        b": OPENROUTER PROCESSING\n\n",
        event(delta({"role": "assistant", "content": ""})),
        event(delta({"reasoning_content": "hm \u2028"})).replace(b"\n\n", b"\r\n\r\n"),
        event(delta({"content": "Gr\u00fc\u00dfe \U0001f600"})),
        event(delta({"tool_calls": [tool(0, "t1", "read", "")]}, index=1)),
        event(delta({"tool_calls": [tool(0, None, None, '{"p":"\u00fc"}')]}, index=1)),
        event(delta({}, "tool_calls", index=1)),
        event(delta({}, "stop")).replace(b"data: ", b"data:"),
        event({"choices": [], "usage": USAGE}),
        event(b"[DONE]"),
    )
)
ANSWER = Answer(
    response_id="c1",
    model="m-1",
    finish_reasons=("stop", "tool_calls"),
    tool_calls=(call(0, "t1", "read", 10, choice=1),),
    tokens=COUNTS,
)


def test_a_stream_cut_at_every_byte_gives_the_same_answer() -> None:
    """In two pieces, wherever the cut, inside UTF-8 and line ends too; and byte by byte."""
    for place in range(len(STREAM) + 1):
        reader = CHAT_COMPLETIONS.stream_reader()
        reader.feed(STREAM[:place])
        reader.feed(STREAM[place:])
        assert reader.ended
        assert reader.finish() == ANSWER
    reader = CHAT_COMPLETIONS.stream_reader()
    for place in range(len(STREAM)):
        reader.feed(STREAM[place : place + 1])
    assert reader.ended
    assert reader.finish() == ANSWER


@given(st.lists(st.integers(0, len(STREAM)), max_size=12), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_in_any_pieces_and_with_any_line_ends(places: list[int], end: bytes) -> None:
    """The answer hangs neither on the pieces nor on how lines end."""
    stream = STREAM.replace(b"\r\n", b"\n").replace(b"\n", end)
    reader = CHAT_COMPLETIONS.stream_reader()
    cuts = sorted(set(places))
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[start:stop])
    assert reader.ended
    assert reader.finish() == ANSWER


def test_a_whole_answer_says_the_same() -> None:
    """Streamed or not, an answer is an answer."""
    message = {"role": "assistant", "content": "x", "tool_calls": [tool(None, "t1", "read", '{"p":"\u00fc"}')]}
    choices = [{"index": 1, "message": message, "finish_reason": "tool_calls"}]
    choices.append({"index": 0, "message": {"content": "Gr\u00fc\u00dfe"}, "finish_reason": "stop"})
    said = {"id": "c1", "model": "m-1", "choices": choices, "usage": USAGE}
    assert whole(said) == ANSWER


@pytest.mark.parametrize(
    ("stream", "ended"),
    [
        (b"data: [DONE]", True),
        (b"data:[DONE]\n", True),
        (b"data: [DONE]\r\n\r\n", True),
        (b"data: [DONE] \n\n", True),
        (b"event: done\ndata: [DONE]\n", True),
        (b"data: [DONE", False),
        (b": [DONE]\n\n", False),
        (b'data: "[DONE]"\n\n', False),
        (b'data: {"choices":[{"delta":{"content":"data: [DONE]\\n\\n"}}]}\n\n', False),
        (b"[DONE]\n\n", False),
    ],
)
def test_the_terminal_event(stream: bytes, ended: bool) -> None:  # noqa: FBT001
    """Seen as soon as an agent could act on it, which is before its blank line; seen nowhere else."""
    reader = CHAT_COMPLETIONS.stream_reader()
    reader.feed(event(delta({"content": "x"})))
    assert not reader.ended
    reader.feed(stream)
    assert reader.ended == ended


@pytest.mark.parametrize(
    ("said", "has_content"),
    [
        (delta({"role": "assistant", "content": ""}), False),
        (delta({"role": "assistant", "content": None, "tool_calls": None, "refusal": None}), False),
        (delta({}, "stop"), False),
        ({"choices": []}, False),
        ({"choices": None}, False),
        (delta({"content": " "}), True),
        (delta({"reasoning_content": "x"}), True),
        (delta({"reasoning": "x"}), True),
        (delta({"refusal": "x"}), True),
        (delta({"tool_calls": [tool(0, "a", "f", "")]}), True),
        (delta({"function_call": {"name": "f"}}), True),
        (delta({"audio": {"id": "a"}}), True),
        ({"choices": [{"index": 0, "text": "x"}]}, True),
    ],
)
def test_what_is_content(said: dict[str, Any], has_content: bool) -> None:  # noqa: FBT001
    """A role, an empty text, a null or an end is none: time to first token is not time to first chunk."""
    reader = CHAT_COMPLETIONS.stream_reader()
    reader.feed(b": ping\n\n")
    assert not reader.has_content
    reader.feed(event(said))
    assert reader.has_content == has_content


@pytest.mark.parametrize(
    "said",
    [
        [{"choices": [], "usage": USAGE}],
        [{**delta({}, "stop"), "usage": USAGE}],
        [delta({}, "stop", usage=USAGE)],
        [{**delta({"content": "x"}), "usage": None}, {"choices": [], "usage": USAGE}],
        [
            {**delta({"content": "x"}), "usage": {"prompt_tokens": 10, "completion_tokens": 1}},
            {"choices": [], "usage": USAGE},
        ],
        [{"choices": [], "usage": USAGE}, {**delta({}, "stop"), "usage": None}],
        [
            {"choices": [], "usage": USAGE},
            {"choices": [], "usage": {"prompt_tokens_details": None, "prompt_tokens": None}},
        ],
    ],
    ids=[
        "a chunk of its own",
        "the last chunk",
        "in the choice",
        "nulls before",
        "every chunk",
        "null after",
        "null details",
    ],
)
def test_usage_wherever_it_stands(said: list[Any]) -> None:
    """Counts are cumulative: the last one told counts, none are added up, and null is not zero."""
    assert streamed(*said).tokens == COUNTS


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "10",
        {"prompt_tokens": None},
        {"prompt_tokens": "10"},
        {"prompt_tokens": -1},
        {"prompt_tokens": True},
    ],
)
def test_usage_that_tells_nothing(usage: object) -> None:
    """What is no count is not told: absent is not zero."""
    assert whole({"choices": [], "usage": usage}).tokens is None


def test_a_count_of_zero_is_told() -> None:
    """Zero is a count."""
    assert whole({"usage": {"prompt_tokens": 0}}).tokens == TokenCounts(input_tokens=0)


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        ([tool(0, "a", "f", ""), tool(0, None, None, "12"), tool(0, None, None, "3")], [call(0, "a", "f", 3)]),
        (
            [tool(0, "a", "f", "1"), tool(1, "b", "g", "22"), tool(0, None, None, "3")],
            [call(0, "a", "f", 2), call(1, "b", "g", 2)],
        ),
        ([tool(None, "a", "f", ""), tool(None, None, None, "12")], [call(0, "a", "f", 2)]),
        ([tool(None, "a", "f", "1"), tool(None, "b", "g", "22")], [call(0, "a", "f", 1), call(1, "b", "g", 2)]),
        ([tool(None, "a", "f", "1"), tool(None, "a", "f", "22")], [call(0, "a", "f", 3)]),
        ([tool(None, None, "f", "1"), tool(None, None, "f", "22")], [call(0, None, "f", 1), call(1, None, "f", 2)]),
        (
            [tool(0, "a", "f", "1"), tool(0, "b", "g", "22"), tool(0, None, None, "3")],
            [call(0, "a", "f", 1), call(1, "b", "g", 3)],
        ),
        ([tool(0, "a", "f", ""), tool(0, "other", None, "22")], [call(0, "a", "f", 2)]),
        ([tool(0, "a", "f", ""), tool(None, None, None, "22")], [call(0, "a", "f", 2)]),
        ([tool(1, "b", "g", "1"), tool(0, "a", "f", "")], [call(0, "a", "f", 0), call(1, "b", "g", 1)]),
        ([tool(0, "a", None, None), tool(0, None, "f", None)], [call(0, "a", "f", 0)]),
    ],
    ids=[
        "one in pieces",
        "two, interleaved",
        "no index",
        "two without an index",
        "an id that is said again",
        "neither index nor id",
        "index 0 for all",
        "another id in each piece",
        "an index in the first piece only",
        "the second one first",
        "the name later",
    ],
)
def test_tool_calls_in_pieces(deltas: list[dict[str, Any]], calls: list[ToolCall]) -> None:
    """Deltas are put together as agents do it, with indexes and without; arguments are counted in UTF-8 bytes."""
    assert tools(*deltas) == tuple(calls)


def test_tool_calls_of_a_whole_message() -> None:
    """Their place in the list is their index, ids or not."""
    message = {"tool_calls": [tool(None, None, "f", "{}"), tool(None, None, "g", "{}1"), "junk", {"function": None}]}
    found = whole({"choices": [{"message": message, "finish_reason": "tool_calls"}]}).tool_calls
    assert found[:2] == (call(0, None, "f", 2), call(1, None, "g", 3))


def test_several_choices() -> None:
    """With `n` above 1 each choice has its own end and its own tool calls, by its index, in whichever order they come."""
    found = streamed(
        delta({"tool_calls": [tool(0, "b", "g", "1")]}, index=1),
        delta({"tool_calls": [tool(0, "a", "f", "22")]}, index=0),
        delta({}, "length", index=2),
        delta({}, "stop", index=1),
        delta({}, "tool_calls", index=0),
    )
    assert found.finish_reasons == ("tool_calls", "stop", "length")
    assert found.tool_calls == (call(0, "a", "f", 2), call(0, "b", "g", 1, choice=1))


def test_choices_without_an_index() -> None:
    """Their place in the list is their index."""
    choices = [{"message": {}, "finish_reason": "stop"}, {"message": {}, "finish_reason": "length"}]
    assert whole({"choices": choices}).finish_reasons == ("stop", "length")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        ({"message": "x", "type": "t", "code": "c"}, "c", "x"),
        ({"message": "x", "type": "t", "code": None}, "t", "x"),
        ({"message": "x", "type": "t", "code": 429}, "429", "x"),
        ({"message": "x"}, "error", "x"),
        ("just a text", "error", "just a text"),
        ({"code": 500, "message": {"no": "text"}}, "500", None),
    ],
)
def test_errors(error: object, kind: str, message: str | None) -> None:
    """Whole or inside a stream: the provider's code, else its type, else that there is one."""
    for answer in (whole({"error": error}), streamed(delta({"content": "x"}), {"error": error})):
        assert (answer.error_type, answer.message) == (kind, message)


def test_an_event_that_is_an_error() -> None:
    """Some servers say by the event's type what others say by a member."""
    reader = CHAT_COMPLETIONS.stream_reader()
    reader.feed(b'event: error\ndata: {"message":"x","code":"c"}\n\n')
    assert (reader.finish().error_type, reader.finish().message) == ("c", "x")


def test_no_error() -> None:
    """A null error is none, and a text with that word is none."""
    assert whole({"error": None}).error_type is None
    assert streamed(delta({"content": "event: error"})).error_type is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["id", "model", "choices", "delta", "message", "index", "tool_calls", "function", "arguments", "name",
                     "usage", "prompt_tokens", "prompt_tokens_details", "error", "finish_reason", "text"]), x)))  # fmt: skip
def test_no_json_is_a_fault(said: object) -> None:
    """A reader never raises, whatever stands where it looks."""
    for one in (
        said,
        {"choices": [said]},
        {"choices": [{"delta": said}]},
        {"choices": [{"delta": {"tool_calls": [said]}}]},
    ):
        streamed(one)
        whole(one)


@given(st.binary(max_size=300))
def test_no_bytes_are_a_fault(data: bytes) -> None:
    """A reader never raises, though it be no JSON at all."""
    assert whole(data) is not None
    reader = CHAT_COMPLETIONS.stream_reader()
    reader.feed(b"data: " + data + b"\n\n")
    assert reader.finish() is not None
    CHAT_COMPLETIONS.read_question(data)


@pytest.mark.parametrize(
    ("body", "model", "streamed"),
    [
        (b'{"model":"m","stream":true}', "m", True),
        (b'{"model":"m","stream":false}', "m", False),
        (b'{"model":"m"}', "m", False),
        (b'{"model":7,"stream":1}', None, False),
        (b"[]", None, False),
        (b"", None, False),
        (b"\xff", None, False),
        (b'{"model":"m"', None, False),
    ],
)
def test_questions(body: bytes, model: str | None, streamed: bool) -> None:  # noqa: FBT001
    """Of what is no object nothing is known."""
    question = CHAT_COMPLETIONS.read_question(body)
    assert (question.model, question.streamed) == (model, streamed)
