"""Which calls are attempts at one request, by what agents were seen to do."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Step, Upstream, Wire

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
PROMPT = {"role": "user", "content": "fix the loop"}
CHAT = "/v1/chat/completions"
HALF = {"role": "assistant", "content": "I fix"}


def said(text: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


async def ask(agent: "Agent", conversation: list[Any], path: str = CHAT, **members: Any) -> None:
    name = "input" if path.endswith("/responses") else "messages"
    await agent.post({**ASKED, name: conversation, **members}, path=path)


def answer_in_turn(upstream: "Upstream", *kinds: str) -> None:
    """Each request gets the next of these answers; the last one serves all that follow."""
    answers: dict[str, tuple[Step, ...]] = {
        "cut": (upstream.stream(upstream.event(said("I fix")), end=False), "close"),
        "429": (upstream.whole(b'{"error":{"message":"slow down"}}', "429 Too Many Requests"),),
        "404": (upstream.whole(b'{"error":{"message":"none"}}', "404 Not Found"),),
        "error": (upstream.stream(upstream.event('{"error":{"message":"overloaded","code":"busy"}}')),),
        "well": (upstream.stream(upstream.event(said("done")), upstream.event("[DONE]")),),
    }
    left = list(kinds)
    upstream.rule = lambda _: answers[left.pop(0) if len(left) > 1 else left[0]]


def linked(wire: "Wire") -> list[tuple[int | None, int | None]]:
    """Each call's attempt, and the number of the call that it repeats."""
    numbers = {call.span_id: call.sequence for call in wire.calls()}
    return [(call.attempt, numbers.get(call.retry_of or "")) for call in wire.calls()]


@pytest.mark.parametrize("fault", ["429", "cut", "error", "404"])
async def test_the_same_request_after_a_failure(wire: "Wire", upstream: "Upstream", fault: str) -> None:
    """Whatever the failure was: each repetition is linked to the one before, and what comes after a success is new."""
    answer_in_turn(upstream, fault, fault, "well")
    proxy = await wire.serve()
    for _ in range(4):
        await ask(await wire.connect(proxy.port), [PROMPT])
    assert linked(wire) == [(1, None), (2, 1), (3, 2), (1, None)]


async def test_the_same_meaning_in_other_bytes(wire: "Wire", upstream: "Upstream") -> None:
    """Codex writes the members of its metadata in another order."""
    answer_in_turn(upstream, "429", "well")
    agent = await wire.agent()
    await ask(agent, [PROMPT], "/v1/responses", client_metadata={"a": "1", "b": "2"})
    await ask(agent, [PROMPT], "/v1/responses", client_metadata={"b": "2", "a": "1"})
    assert linked(wire) == [(1, None), (2, 1)]


@pytest.mark.parametrize(
    "rest",
    [
        [HALF],
        [HALF, {"role": "user", "content": [{"type": "text", "text": "go on"}]}],
        [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I fix"}]}],
    ],
    ids=["codex", "qwen-code", "items"],
)
async def test_going_on_from_a_half_answer(wire: "Wire", upstream: "Upstream", rest: list[Any]) -> None:
    """What came of a cut answer is sent back, with a word to go on or without: it is the same request again."""
    answer_in_turn(upstream, "cut", "well")
    proxy = await wire.serve()
    await ask(await wire.connect(proxy.port), [PROMPT])
    await ask(await wire.connect(proxy.port), [PROMPT, *rest])
    assert linked(wire) == [(1, None), (2, 1)]


async def test_the_same_words_in_another_form(wire: "Wire", upstream: "Upstream") -> None:
    """Claude-code writes its prompt in blocks at first, and as one text when it goes on."""
    answer_in_turn(upstream, "cut", "well")
    blocks = {
        "role": "user",
        "content": [{"type": "text", "text": "fix the loop", "cache_control": {"type": "ephemeral"}}],
    }
    proxy = await wire.serve()
    await ask(await wire.connect(proxy.port), [blocks])
    await ask(await wire.connect(proxy.port), [PROMPT, HALF, {"role": "user", "content": "go on"}])
    assert linked(wire) == [(1, None), (2, 1)]


@pytest.mark.parametrize(
    ("fault", "prompt", "rest"),
    [
        ("well", PROMPT, [HALF]),
        ("429", PROMPT, [HALF]),
        ("cut", {"role": "user", "content": "another question"}, [HALF]),
        ("cut", PROMPT, [{"role": "assistant", "tool_calls": [{"id": "1"}]}, {"role": "tool", "content": "ok"}]),
        ("cut", PROMPT, [{"type": "function_call", "name": "x"}, {"type": "function_call_output", "output": "ok"}]),
        ("cut", PROMPT, [{"role": "user", "content": "something else"}]),
        ("cut", PROMPT, [HALF, {"role": "user", "content": [{"type": "tool_result", "content": "ok"}]}]),
        ("cut", PROMPT, ["text"]),
    ],
)
async def test_what_is_no_repetition(
    wire: "Wire", upstream: "Upstream", fault: str, prompt: dict[str, Any], rest: list[Any]
) -> None:
    """A conversation that goes on by a tool's result, or by the user's word alone, is another request."""
    answer_in_turn(upstream, fault, "well")
    proxy = await wire.serve()
    await ask(await wire.connect(proxy.port), [PROMPT])
    await ask(await wire.connect(proxy.port), [prompt, *rest])
    assert linked(wire) == [(1, None), (1, None)]


async def test_side_calls_between(wire: "Wire", upstream: "Upstream") -> None:
    """A title that is asked for meanwhile takes nobody's place."""
    answer_in_turn(upstream, "429", "well")
    agent = await wire.agent()
    await ask(agent, [PROMPT])
    await ask(agent, [{"role": "user", "content": "a title for this"}])
    await ask(agent, [PROMPT])
    assert linked(wire) == [(1, None), (1, None), (2, 1)]
