"""Attempts through the proxy: what it records is enough to link them, however many processes recorded it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from tachograph.scoring import link_attempts, logical_calls
from tachograph.traces import BodyReader, read_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.proxy.conftest import Step, Upstream, Wire

CHAT: dict[str, Any] = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
ASKED = [{"role": "user", "content": "fix it"}]
HALF = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "I will "}}]}
REST = {"choices": [{"index": 0, "delta": {"content": "look"}, "finish_reason": "stop"}]}
RESUME = [{"role": "assistant", "content": "I will "}, {"role": "user", "content": "Resume."}]


def attempts(folder: Path) -> list[list[tuple[str, int | None]]]:
    """Of each logical call the outcome and status of its attempts."""
    calls = link_attempts(read_run(folder).calls, BodyReader(folder / "bodies"))
    return [
        [(call.outcome, call.response.status if call.response else None) for call in chain]
        for chain in logical_calls(calls)
    ]


async def test_faults_in_a_row_through_two_proxies(upstream: "Upstream", wire: "Wire") -> None:
    """429, a cut, a retry that has grown, the answer; then the next step: two logical calls, whichever proxy took which."""
    limited = upstream.whole(b'{"error":{}}', "429 Too Many Requests", "Retry-After: 0")
    cut: list[Step] = [upstream.stream(upstream.event(HALF), end=False), "close"]
    whole: list[Step] = [upstream.stream(*map(upstream.event, (HALF, REST, "[DONE]")))]
    answers: Iterator[list[Step]] = iter([[limited], cut, cut, whole, whole])
    upstream.rule = lambda _: next(answers)
    ports = [(await wire.serve()).port for _ in range(2)]
    step = {"role": "user", "content": "and now"}
    asked = [ASKED, ASKED, ASKED, [*ASKED, *RESUME], [*ASKED, {"role": "assistant", "content": "I will look"}, step]]
    for number, messages in enumerate(asked):
        agent = await wire.connect(ports[number % 2])
        await agent.post({**CHAT, "messages": messages})
    failed = [("completed", 429), ("upstream_cut", 200), ("upstream_cut", 200)]
    assert attempts(wire.store / "default") == [[*failed, ("completed", 200)], [("completed", 200)]]


async def test_an_agent_that_hangs_up_and_asks_again(upstream: "Upstream", wire: "Wire") -> None:
    """An agent whose patience is over hangs up, and sends the same in another order of members."""
    upstream.rule = lambda message: (
        [upstream.stream(upstream.event(HALF), end=False), "wait for close"]
        if message.body.endswith(b'"client_metadata":{"a":1,"b":2}}')
        else [upstream.stream(*map(upstream.event, (HALF, REST, "[DONE]")))]
    )
    agent = await wire.agent()
    await agent.send_post(orjson.dumps({**CHAT, "messages": ASKED, "client_metadata": {"a": 1, "b": 2}}))
    await agent.read_until(b"I will ")
    await agent.hang_up()
    await upstream.sees_the_close()
    again = await wire.agent()
    await again.post(orjson.dumps({**CHAT, "messages": ASKED, "client_metadata": {"b": 2, "a": 1}}))
    await wire.eventually(lambda: len(wire.calls()) == 2 and all(call.outcome != "in_flight" for call in wire.calls()))
    assert attempts(wire.store / "default") == [[("client_disconnected", 200), ("completed", 200)]]
