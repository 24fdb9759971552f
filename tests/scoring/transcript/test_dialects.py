"""One conversation in the words of each API is the same transcript."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.scoring.transcript import Message, ToolInvocation
from tachograph.traces import RunStore

if TYPE_CHECKING:
    from tests.scoring.transcript.conftest import Conversation

Sayings = tuple[Message, ...]
DATA = Path(__file__).parents[2] / "data"


def events(*told: dict[str, Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in told)


class Chat:
    """Chat completions."""

    api = "chat_completions"

    def request(self, messages: Sayings) -> dict[str, Any]:
        return {"messages": [self.entry(message) for message in messages], "tools": [{"function": {"name": "run"}}]}

    def entry(self, message: Message) -> dict[str, Any]:
        told: dict[str, Any] = {"role": message.role, "content": message.text}
        if message.tool_call_id:
            told["tool_call_id"] = message.tool_call_id
        if message.reasoning:
            told["reasoning_content"] = message.reasoning
        if message.tool_calls:
            told["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.tool_calls
            ]
        return told

    def whole(self, answer: Message) -> bytes:
        return json.dumps({"choices": [{"index": 0, "message": self.entry(answer)}]}).encode()

    def streamed(self, answer: Message) -> bytes:
        deltas: list[dict[str, Any]] = [{"role": "assistant"}]
        deltas += [{"reasoning_content": letter} for letter in answer.reasoning or ""]
        deltas += [{"content": letter} for letter in answer.text]
        for index, call in enumerate(answer.tool_calls):
            deltas.append({"tool_calls": [{"index": index, "id": call.id, "function": {"name": call.name}}]})
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in call.arguments]
        return events(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas))


class Responses:
    """OpenAI Responses."""

    api = "responses"

    def request(self, messages: Sayings) -> dict[str, Any]:
        first, *others = messages
        items = [item for message in others for item in self.items(message)]
        return {"instructions": first.text, "input": items, "tools": [{"type": "function", "name": "run"}]}

    def items(self, message: Message) -> Iterator[dict[str, Any]]:
        if message.role == "tool":
            yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.text}
            return
        if message.reasoning:
            yield {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": message.reasoning}]}
        if message.text or message.role != "assistant":
            kind = "output_text" if message.role == "assistant" else "input_text"
            content = [{"type": kind, "text": message.text}]
            yield {"type": "message", "role": message.role, "content": content}
        for call in message.tool_calls:
            yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}

    def whole(self, answer: Message) -> bytes:
        return json.dumps({"id": "r", "status": "completed", "output": list(self.items(answer))}).encode()

    def streamed(self, answer: Message) -> bytes:
        told: list[dict[str, Any]] = [{"type": "response.created", "response": {"output": []}}]
        for place, item in enumerate(self.items(answer)):
            bare = {**item, "content": [], "summary": [], "arguments": "", "id": str(place)}
            told.append({"type": "response.output_item.added", "output_index": place, "item": bare})
            kind, text = {
                "reasoning": ("reasoning_summary_text", answer.reasoning),
                "message": ("output_text", answer.text),
                "function_call": ("function_call_arguments", item.get("arguments")),
            }[item["type"]]
            told += [{"type": f"response.{kind}.delta", "item_id": str(place), "delta": part} for part in text or ""]
        return events(*told)


class Messages:
    """Anthropic Messages."""

    api = "messages"

    def request(self, messages: Sayings) -> dict[str, Any]:
        first, *others = messages
        told: list[dict[str, Any]] = []
        for message in others:
            role = "assistant" if message.role == "assistant" else "user"
            if told and told[-1]["role"] == role:
                told[-1]["content"] += self.blocks(message)
            else:
                told.append({"role": role, "content": list(self.blocks(message))})
        system = [{"type": "text", "text": first.text, "cache_control": {"type": "ephemeral"}}]
        return {"system": system, "messages": told, "tools": [{"name": "run"}]}

    def blocks(self, message: Message) -> Iterator[dict[str, Any]]:
        if message.role == "tool":
            content = [{"type": "text", "text": message.text}]
            yield {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}
            return
        if message.reasoning:
            yield {"type": "thinking", "thinking": message.reasoning, "signature": "Eq"}
        if message.text or message.role != "assistant":
            yield {"type": "text", "text": message.text}
        for call in message.tool_calls:
            yield {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}

    def whole(self, answer: Message) -> bytes:
        return json.dumps({"type": "message", "role": "assistant", "content": list(self.blocks(answer))}).encode()

    def streamed(self, answer: Message) -> bytes:
        told: list[dict[str, Any]] = [{"type": "message_start", "message": {"role": "assistant", "content": []}}]
        for index, block in enumerate(self.blocks(answer)):
            bare = {**block, "text": "", "thinking": "", "input": {}}
            told.append({"type": "content_block_start", "index": index, "content_block": bare})
            kind, member, text = {
                "thinking": ("thinking_delta", "thinking", block.get("thinking")),
                "text": ("text_delta", "text", block.get("text")),
                "tool_use": ("input_json_delta", "partial_json", json.dumps(block.get("input"))),
            }[block["type"]]
            deltas = [{"type": kind, member: part} for part in text or ""]
            told += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        return events(*told, {"type": "message_stop"})


DIALECTS = (Chat(), Responses(), Messages())
words = st.sampled_from(["", "go on", "é\n", "Look: `a.py`"])
step = st.tuples(
    words, st.sampled_from([None, "hm"]), st.lists(st.sampled_from(["ls", "pytest"]), max_size=2), st.booleans()
)
Step = tuple[str, str | None, list[str], bool]


def spoken(steps: list[Step]) -> Iterator[tuple[Sayings, Message, bool]]:
    """Of each call what is asked, the answer, and whether that is streamed."""
    history: Sayings = (Message(role="system", text="You are an agent."), Message(role="user", text="fix it"))
    for number, (text, reasoning, runs, streamed) in enumerate(steps):
        calls = tuple(
            ToolInvocation(id=f"{number}-{at}", name="run", arguments=json.dumps({"cmd": run}))
            for at, run in enumerate(runs)
        )
        answer = Message(role="assistant", text=text or "ok", reasoning=reasoning, tool_calls=calls)
        yield history, answer, streamed
        results = (Message(role="tool", text=f"done {call.id}", tool_call_id=call.id) for call in calls)
        history = (*history, answer, *results, Message(role="user", text=f"and {number}"))


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(step, min_size=1, max_size=5))
def test_all_dialects_tell_the_same(converse: "type[Conversation]", steps: list[Step]) -> None:
    """What was said is what was said: the API that carries it, streamed or whole, leaves no trace in a turn."""
    expected = []
    for number, (asked, answer, _) in enumerate(spoken(steps)):
        before = [turn for turn, _, _ in spoken(steps)][number - 1] if number else ()
        expected.append((asked[len(before) + (1 if number else 0) :], (answer,), ("run",)))
    for dialect in DIALECTS:
        with tempfile.TemporaryDirectory() as folder:
            recording = RunStore(Path(folder)).open_run("a-run")
            conversation = converse(recording)
            for asked, answer, streamed in spoken(steps):
                told = dialect.streamed(answer) if streamed else dialect.whole(answer)
                conversation.call(json.dumps(dialect.request(asked)).encode(), told, api=dialect.api)
            turns = conversation.turns()
            assert [(turn.added, turn.answers, turn.tools) for turn in turns] == expected, dialect.api
            assert all(turn.unreadable is None for turn in turns)
            recording.close()


GOLDEN = [
    path for api in ("chat_completions", "responses", "messages", "completions") for path in (DATA / api).glob("*")
]


@pytest.mark.parametrize(
    "sample",
    [path for path in GOLDEN if ".expected" not in path.name],
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def test_every_golden_sample_has_the_tool_calls_of_the_record(conversation: "Conversation", sample: Path) -> None:
    """What the proxy tells of an answer's tool calls and refusals, and what the transcript tells, is the same."""
    expected = json.loads(sample.with_name(f"{sample.stem}.expected.json").read_text())["answer"]
    conversation.call(b"{}", sample.read_bytes(), api=sample.parent.name)
    turn = conversation.turn()
    assert turn.answers is not None
    calls = [(at, call) for at, answer in enumerate(turn.answers) for call in answer.tool_calls]
    told = [(call["choice"], call["id"], call["name"]) for call in expected.get("tool_calls", ())]
    assert [(at, call.id, call.name) for at, call in calls] == told
    for (_, call), record in zip(calls, expected.get("tool_calls", ()), strict=True):
        parsed = call.parsed
        compact = {
            len(call.arguments.encode()),
            len(json.dumps(parsed, separators=(",", ":"), ensure_ascii=False).encode()),
        }
        assert record["arguments_bytes"] in compact or not record["arguments_bytes"]


@pytest.mark.parametrize("make", [dialect.streamed for dialect in DIALECTS], ids=[dialect.api for dialect in DIALECTS])
def test_a_stream_that_was_cut_anywhere(conversation: "Conversation", make: Callable[[Message], bytes]) -> None:
    """Of half a stream the half is told, wherever the cut is; there is no cut at which reading fails."""
    call = ToolInvocation(id="1", name="run", arguments='{"cmd": "ls"}')
    answer = Message(role="assistant", text="Look here", reasoning="hm", tool_calls=(call,))
    whole = make(answer)
    api = next(dialect.api for dialect in DIALECTS if dialect.streamed == make)
    cuts = range(len(b"data: {"), len(whole), 37)
    for cut in cuts:
        conversation.call(b"{}", whole[:cut], api=api, outcome="upstream_cut")
    for turn in conversation.turns():
        for told in turn.answers or ():
            assert answer.text.startswith(told.text)
            assert (answer.reasoning or "").startswith(told.reasoning or "")
            for invocation in told.tool_calls:
                assert call.arguments.startswith(invocation.arguments.removesuffix("{}"))
