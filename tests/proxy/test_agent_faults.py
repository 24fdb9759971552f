"""Agents that do not send what they said they would."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.proxy.conftest import Upstream, Wire


async def test_an_agent_that_stalls_in_mid_body(wire: "Wire", upstream: "Upstream") -> None:
    """Half a body goes nowhere and holds nobody up; when the other half comes, the request is one like any other."""
    stalled = await wire.agent()
    body = b'{"model":"m","messages":[]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    await stalled.send(head + body[:10])
    for number in range(3):
        assert (await (await wire.agent()).post({"model": "m", "seed": number})).status == 200
    assert len(upstream.received) == len(wire.calls()) == 3
    await stalled.send(body[10:])
    assert (await stalled.reply()).status == 200
    assert upstream.received[-1].body == body
    assert [call.outcome for call in wire.calls()] == ["completed"] * 4
