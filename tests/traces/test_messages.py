"""Tunnels on disk: what a call became, the messages that passed, the calls that they made."""

from dataclasses import replace
from typing import Any, Literal

import pytest

from tachograph.traces import (
    RunRecording,
    Tunnel,
    TunnelMessage,
    read_calls,
    read_messages,
    read_run,
    read_spans,
    verify,
)

START = 1_795_000_000_000_000_000
CARRIED = Tunnel(
    agent_bytes=10,
    agent_messages=2,
    upstream_bytes=2000,
    upstream_messages=30,
    calls=1,
    closed_by="upstream",
    close_code=1001,
    close_reason="bye",
    unread=None,
)


def message(run: RunRecording, content: bytes, sender: Literal["agent", "upstream"] = "agent") -> TunnelMessage:
    digest = run.keep(content)
    return TunnelMessage(at_ns=START + 5, sender=sender, kind="text", bytes=len(content), body_hash=digest)


@pytest.mark.parametrize(
    ("tunnel", "only_carries"),
    [
        (CARRIED, True),
        (replace(CARRIED, calls=0, closed_by=None, close_code=None, close_reason=None), True),
        (replace(CARRIED, calls=None), False),
        (replace(CARRIED, unread="damaged"), False),
    ],
)
def test_a_tunnel_is_read_back(
    run: RunRecording, new_request: Any, new_call: Any, tunnel: Tunnel, *, only_carries: bool
) -> None:
    """All of it; and whether it counts as a call of the run: only where no model may have worked unseen."""
    request = new_request(api=None, method="GET", path="/v1/responses", model=None)
    opened = run.start_call(request, START, None)
    call = replace(new_call(request, start_ns=START, run_id="the-run", sequence=1), tunnel=tunnel)
    run.end_call(opened, call)
    (found,) = read_calls(run.folder)
    assert replace(found, span_id="") == call
    assert found.only_carries_calls is only_carries
    read = read_run(run.folder)
    assert (len(read.calls), len(read.tunnels)) == ((0, 1) if only_carries else (1, 0))
    run.close()
    root = read_run(run.folder)
    assert root.attributes["tachograph.run.model_calls"] == len(read.calls)


def test_a_call_through_a_tunnel_stands_below_it(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """Its span's parent is the tunnel's, and so says the call, announced or ended."""
    tunnel = run.start_call(new_request(api=None), START, None)
    tunnel_id = f"{tunnel.context.span_id:016x}"
    request = new_request(tunnel_id=tunnel_id)
    opened = run.start_call(request, START + 1, None, tunnel)
    _, inner = read_calls(run.folder)
    assert (inner.outcome, inner.request.tunnel_id) == ("in_flight", tunnel_id)
    run.end_call(opened, new_call(request, start_ns=START + 1, run_id="the-run", sequence=2))
    span = list(read_spans(run.folder))[-1]
    assert (span.parent_id, span.attributes["network.protocol.name"]) == (tunnel_id, "websocket")


def test_messages_are_read_back_in_their_order(run: RunRecording, new_request: Any) -> None:
    """Of all tunnels of the run; they are no spans of the run beside its calls."""
    opened = [run.start_call(new_request(api=None), START, None) for _ in range(2)]
    told = [message(run, b"a"), message(run, b"b", "upstream"), message(run, b"a")]
    lost = TunnelMessage(at_ns=START, sender="agent", kind="binary", bytes=2**30, body_hash=None, lost="too long")
    for number, one in enumerate([*told, lost]):
        run.record_message(opened[number % 2], one)
    ids = [f"{call.context.span_id:016x}" for call in opened]
    expected = [replace(one, call_id=ids[number % 2]) for number, one in enumerate([*told, lost])]
    assert list(read_messages(run.folder)) == expected
    assert read_run(run.folder).spans == ()


def test_a_message_whose_content_is_missing_is_damage(run: RunRecording, new_request: Any) -> None:
    """`verify` looks for the contents of messages as for all bodies; what was not kept is not looked for."""
    opened = run.start_call(new_request(api=None, body_hash=run.keep(b"")), START, None)
    run.record_message(opened, replace(message(run, b"a"), body_hash="0" * 64, lost="disk full"))
    assert verify(run.folder).state == "open"
    run.record_message(opened, replace(message(run, b"a"), body_hash="1" * 64))
    assert verify(run.folder).problems == (f"body {'1' * 64} is missing",)
