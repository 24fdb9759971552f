"""What was said in a run is read from its bodies alone: each message once, whatever agents send again."""

import gzip
import json
import random
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brotli
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.scoring.transcript import RequestRead, read_transcript
from tachograph.traces import BodyReader, RunStore, read_run

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation

SYSTEM = {"role": "system", "content": "You are an agent."}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str | None = None, *calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {}), **more}


def tool_call(call_id: str, name: str = "shell", **arguments: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def result(call_id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def added(conversation: "Conversation") -> list[list[tuple[str, str]]]:
    return [[(message.role, message.text) for message in turn.added or ()] for turn in conversation.turns()]


words = st.sampled_from(["", "go on", "ok", "a" * 600, "é\n"])
calls = st.lists(st.sampled_from(["ls", "pytest"]), max_size=2)


@settings(max_examples=30)
@given(said=st.lists(st.tuples(words, words, calls), min_size=1, max_size=8), seed=st.integers(0, 9))
def test_each_message_of_a_growing_history_is_added_once(
    converse: "type[Conversation]", said: list[tuple[str, str, list[str]]], seed: int
) -> None:
    """Whatever is said twice is added twice; what was answered is never added; the order of the calls says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        recording = RunStore(Path(folder)).open_run("a-run")
        conversation = converse(recording)
        history: list[dict[str, Any]] = [SYSTEM]
        expected: list[list[tuple[str, str]]] = []
        for number, (question, answer, commands) in enumerate(said):
            new = [user(question)]
            if number:
                new = [result(f"{number - 1}-{at}", "done") for at in range(len(said[number - 1][2]))] + new
            history = [*history, *new]
            told = [SYSTEM, *new] if not number else new
            expected.append([(message["role"], message["content"]) for message in told])
            spoken = assistant(answer, *(tool_call(f"{number}-{at}", run=run) for at, run in enumerate(commands)))
            conversation.say(history, spoken)
            history = [*history, spoken]
        assert added(conversation) == expected
        run = read_run(recording.folder)
        shuffled = list(run.calls)
        random.Random(seed).shuffle(shuffled)
        turns = read_transcript(shuffled, BodyReader(recording.folder / "bodies"))
        assert [turn.call for turn in turns] == shuffled
        assert sorted(turns, key=lambda turn: turn.call.timing.start_ns) == list(conversation.turns())
        recording.close()


def test_the_order_of_spans_says_nothing(conversation: "Conversation", tmp_path: Path) -> None:
    """A Collector writes spans as they come: the transcript is by the time of the calls."""
    history = [SYSTEM]
    for number in range(6):
        history = [*history, user(f"question {number}")]
        conversation.say(history, assistant("yes"))
        history = [*history, assistant("yes")]
    journal = (conversation.folder / "trace.jsonl").read_bytes().splitlines(keepends=True)
    lines = [line for line in journal if b".start" not in line]
    random.Random(4).shuffle(lines)
    elsewhere = tmp_path / "shuffled.jsonl"
    elsewhere.write_bytes(b"".join(lines))
    turns = read_transcript(read_run(elsewhere).calls, BodyReader(conversation.folder / "bodies"))
    assert turns == conversation.turns()
    assert [len(turn.added or ()) for turn in turns] == [2, 1, 1, 1, 1, 1]


def test_a_history_that_was_shortened(conversation: "Conversation") -> None:
    """What an agent drops is not news, nor is what it keeps: only the summary that it puts in is."""
    conversation.say([SYSTEM, user("fix it")], assistant("", tool_call("1", run="ls")))
    conversation.say(
        [SYSTEM, user("fix it"), assistant("", tool_call("1", run="ls")), result("1", "a.py")], assistant("one moment")
    )
    conversation.say([SYSTEM, user("So far: listed."), user("fix it"), assistant("one moment"), user("go on")])
    assert added(conversation)[2] == [("user", "So far: listed."), ("user", "go on")]


def test_a_message_that_is_rewritten_at_each_call(conversation: "Conversation") -> None:
    """A system prompt with the time in it does not make the rest of the history new."""
    history: list[dict[str, Any]] = [user("fix it"), assistant("done"), user("thanks")]
    for minute in range(3):
        conversation.say([{"role": "system", "content": f"It is 12:0{minute}."}, *history], assistant("bye"))
    assert added(conversation)[1:] == [[("system", "It is 12:01.")], [("system", "It is 12:02.")]]


def test_agents_with_histories_of_their_own(conversation: "Conversation") -> None:
    """Calls of a sub-agent between those of its parent make nothing new, nor are its own messages lost."""
    parent: list[dict[str, Any]] = [SYSTEM, user("parent's task")]
    child: list[dict[str, Any]] = [SYSTEM, user("child's task")]
    for step in range(3):
        parent_says, child_says = (assistant("", tool_call(f"{who}{step}", step=step)) for who in "pc")
        conversation.say(parent, parent_says)
        conversation.say(child, child_says)
        parent = [*parent, parent_says, result(f"p{step}", "ok")]
        child = [*child, child_says, result(f"c{step}", "ok")]
    turns = conversation.turns()
    assert [len(turn.added or ()) for turn in turns] == [2, 1, 1, 1, 1, 1]
    results = [message.tool_call_id for turn in turns[2:] for message in turn.added or ()]
    assert results == ["p0", "c0", "p1", "c1"]


def test_a_request_that_is_sent_again(conversation: "Conversation") -> None:
    """A retry asks nothing new, also with its answer in between."""
    for _ in range(3):
        conversation.say([SYSTEM, user("hello"), user("hello")], assistant("hello"))
    assert [len(messages) for messages in added(conversation)] == [3, 0, 0]


@pytest.mark.parametrize(
    "sent_back",
    [
        [assistant("Look:\n", tool_call("1", a=1, b=2))],
        [assistant("\n\nLook:", tool_call("other id", b=2, a=1))],
        [assistant("<think>hm</think>\nLook:", tool_call("1", a=1, b=2))],
        [assistant([{"type": "text", "text": "Look:"}], tool_call("1", a=1, b=2), reasoning_content="hm")],  # type: ignore[arg-type]
        [assistant("Look:"), assistant(None, tool_call("1", a=1, b=2))],
    ],
    ids=["same", "reordered", "thought", "parts", "split"],
)
def test_an_answer_is_known_however_it_is_sent_back(
    conversation: "Conversation", sent_back: list[dict[str, Any]]
) -> None:
    """Agents trim text, write arguments anew, give ids of their own, drop reasoning, and split messages."""
    answer = assistant("Look:\n", tool_call("1", a=1, b=2), reasoning_content="hm")
    conversation.say([user("go")], answer)
    conversation.say([user("go"), *sent_back, result("1", "ok")])
    assert added(conversation)[1] == [("tool", "ok")]


def test_only_the_choice_that_was_taken_is_sent_back(conversation: "Conversation") -> None:
    """Each of several choices is known, in its order."""
    conversation.say([user("go")], assistant("left"), assistant("right"))
    conversation.say([user("go"), assistant("right"), user("why")])
    first, second = conversation.turns()
    assert [message.text for message in first.answers or ()] == ["left", "right"]
    assert [message.text for message in second.added or ()] == ["why"]
    assert second.answers == ()


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


STREAM = b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\ndata: {"choices":[{"delta":{"content":"lo"}}]}\n\n'


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("br", brotli.compress),
        ("zstd", zstd.compress),
        ("gzip, br", lambda body: brotli.compress(gzip.compress(body))),
        ("identity", lambda body: body),
    ],
)
def test_content_codings(conversation: "Conversation", coding: str, encode: Callable[[bytes], bytes]) -> None:
    """The record holds bodies as they were on the wire: the head tells how they were encoded."""
    question = json.dumps({"messages": [user("hello")]}).encode()
    head = f"content-type: text/event-stream\r\nContent-Encoding: {coding}"
    conversation.call(encode(question), encode(STREAM), head=head, request_head=f"content-encoding:{coding}")
    turn = conversation.turn()
    assert turn.unreadable is None
    assert [message.text for message in (*(turn.added or ()), *(turn.answers or ()))] == ["hello", "Hello"]


def test_an_encoded_stream_that_was_cut(conversation: "Conversation") -> None:
    """What came of it is read."""
    compressor = zlib.compressobj(wbits=31)
    cut = compressor.compress(STREAM) + compressor.flush(zlib.Z_SYNC_FLUSH) + compressor.compress(STREAM)
    conversation.call(b'{"messages":[]}', cut, head="Content-Encoding: gzip", outcome="upstream_cut")
    (answer,) = conversation.turn().answers or ()
    assert answer.text == "Hello"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"keep": False}, "request: its body is not in the run's folder; answer: its body is not in the run's folder"),
        (
            {"keep": False, "bodies_lost": "disk full"},
            "request: its bodies were not kept: disk full; answer: its bodies were not kept",
        ),
        ({"body": b"hello"}, "request: it is no JSON"),
        ({"body": b"[]"}, "request: it is no JSON object"),
        ({"body": b'{"prompt":"hello"}'}, "request: it has no messages"),
        ({"body": b'{"messages":[]}', "request_head": "Content-Encoding: gzip"}, "request: damaged body"),
        ({"body": b'{"messages":[]}', "request_head": "Content-Encoding: lzma"}, "request: content coding 'lzma'"),
        ({"api": None}, "request: the API of /v1/chat/completions is not read here; answer: the API of"),
        ({"answer": b'{"choices":[{"mess', "outcome": "upstream_cut"}, "answer: it is no JSON, or was cut off"),
        ({"answer": b"hello"}, "answer: it is neither JSON nor events"),
        ({"answer": b"data: hello\n\n"}, "answer: none of its events is JSON"),
        ({"answer": b"null"}, "answer: it is neither JSON nor events"),
        ({"answer": None, "outcome": "interrupted"}, "answer: the call was interrupted"),
    ],
)
def test_what_cannot_be_read(conversation: "Conversation", changed: dict[str, Any], reason: str) -> None:
    """It is None, never empty, and says why; the other half of the call is read nevertheless."""
    body, answer = changed.pop("body", b'{"messages":[]}'), changed.pop("answer", b'{"choices":[]}')
    conversation.call(body, answer, **changed)
    turn = conversation.turn()
    assert (turn.unreadable or "").startswith(reason)
    assert (turn.added is None) == (turn.tools is None) == ("request" in (turn.unreadable or ""))
    assert (turn.answers is None) == ("answer" in (turn.unreadable or ""))


@pytest.mark.parametrize(
    "changed",
    [
        {"answer": b"<html>Bad Gateway</html>", "status": 502},
        {"answer": b'{"error":{"message":"no"}}', "status": 400},
        {"answer": b'{"error":{"message":"no"}}'},
        {"answer": b'data: {"error":{"message":"no"}}\n\n'},
        {"answer": b"data: [DONE]\n\n"},
        {"answer": b""},
        {"answer": None, "outcome": "upstream_unreachable"},
    ],
)
def test_an_answer_without_choices(conversation: "Conversation", changed: dict[str, Any]) -> None:
    """An error is no answer: nothing was said, and that is known."""
    conversation.call(b'{"messages":[]}', changed.pop("answer"), **changed)
    assert conversation.turn().answers == ()
    assert conversation.turn().unreadable is None


def test_a_damaged_record(conversation: "Conversation") -> None:
    """Damage of one body is told of its call and no other, without a word of where the run lies."""
    for number in range(3):
        conversation.say([user(f"question {number}")], assistant(f"answer {number}"))
    pack = conversation.folder / "bodies" / "bodies.pack"
    content = pack.read_bytes()
    pack.write_bytes(content.replace(b"question 1", b"question 8"))
    first, second, third = conversation.turns()
    assert second.added is None
    assert second.answers is not None
    assert second.unreadable == "request: its body is damaged, or lost in a gap of the run's folder"
    assert first.unreadable is third.unreadable is None


def test_what_was_lost_comes_with_the_next_request(conversation: "Conversation") -> None:
    """Of an answer that cannot be read, what the agent sends back is what no earlier call shows."""
    conversation.call(json.dumps({"messages": [user("a")]}).encode(), b"garbage")
    conversation.say([user("a"), assistant("lost"), user("b")], assistant("kept"))
    conversation.say([user("a"), assistant("lost"), user("b"), assistant("kept"), user("c")])
    assert added(conversation) == [[("user", "a")], [("assistant", "lost"), ("user", "b")], [("user", "c")]]


def test_hostile_bodies(conversation: "Conversation") -> None:
    """Nesting that Python cannot recurse and half characters are told or read, and break nothing."""
    deep = b"[" * 900 + b"]" * 900
    for number in range(2):
        last = b'{"role":"user","content":"%d"}' % number
        conversation.call(b'{"messages":[{"role":"user","content":%b},%b]}' % (deep, last), b"{}")
    conversation.call(b'{"messages":[{"role":"user","content":"half: \\ud83d"}]}', b"{}")
    conversation.call(b'{"messages":[7,null,[],{"role":1,"content":{"a":1},"tool_calls":[3,{"index":[]}]}]}', b"[]")
    turns = conversation.turns()
    assert all(turn.unreadable in (None, "request: it is nested too deeply") for turn in turns)
    assert [message.text for message in turns[2].added or ()] == ["half: ?"]
    assert turns[3].added


def test_tools_that_are_offered(conversation: "Conversation") -> None:
    """Their names, in the order of the request; none is an empty tuple."""
    tools = [
        {"type": "function", "function": {"name": "edit"}},
        {"type": "custom", "custom": {"name": "apply_patch"}},
        {"type": "web_search"},
    ]
    conversation.say([], request={"tools": tools})
    conversation.say([], request={"functions": [{"name": "old"}]})
    conversation.say([])
    assert [turn.tools for turn in conversation.turns()] == [("edit", "apply_patch", "web_search"), ("old",), ()]


def test_memory_does_not_grow_with_the_bodies(conversation: "Conversation") -> None:
    """Bodies are read one at a time: what is held is what was said."""
    history = [{"role": "system", "content": "rules " * 40_000}]
    for number in range(60):
        history = [*history, user(f"question {number}")]
        conversation.say(history, assistant("yes"))
        history = [*history, assistant("yes")]
    bodies, run = BodyReader(conversation.folder / "bodies"), read_run(conversation.folder)
    tracemalloc.start()
    turns = read_transcript(run.calls, bodies)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one, total = len(json.dumps(history)), sum(call.request.bytes or 0 for call in run.calls)
    assert len(turns) == 60
    assert peak < 20 * one < total / 2


def test_whoever_watches_is_told_of_each_request(conversation: "Conversation", tmp_path: Path) -> None:
    """Once each, in the order of time, also of those that nobody can read; and the transcript is the same."""
    asked = (
        b'{"messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function", "function": {"name": "t"}}]}'
    )
    conversation.call(asked, b'{"choices": []}')
    conversation.call(b"no JSON", b'{"choices": []}')
    conversation.call(b'{"input": "x"}', b"{}", api="embeddings")
    folder = tmp_path / "runs" / "the-run"
    run, bodies = read_run(folder), BodyReader(folder / "bodies")
    seen: list[RequestRead] = []
    assert read_transcript(run.calls[::-1], bodies, seen.append) == read_transcript(run.calls[::-1], bodies)
    assert [read.call.span_id for read in seen] == [call.span_id for call in run.calls]
    assert [read.body for read in seen] == [asked, b"no JSON", b'{"input": "x"}']
    assert [read.tools for read in seen] == [("t",), None, ()]
    assert [read.unreadable is None for read in seen] == [True, False, True]
