"""Usage that the proxy asks for: the agent sees the bytes that it would have seen without, and the record has the counts."""

import gzip
import hashlib
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.proxy.apis import CHAT_COMPLETIONS, UsageRemover, ask_for_usage
from tachograph.traces import BodyReader

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Message, Step, Upstream, Wire

USAGE = {"prompt_tokens": 11, "completion_tokens": 13, "total_tokens": 24}
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
members = st.dictionaries(
    st.text().filter(lambda name: name not in {"stream", "stream_options"}), json_values, max_size=5
)


@st.composite
def stream_requests(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A request for a stream whose usage is not asked for, in any spelling of JSON."""
    request = draw(members) | {"model": "m", "stream": True}
    options = draw(st.none() | members | st.just("absent"))
    if options != "absent":
        request["stream_options"] = options
    items = draw(st.permutations(list(request.items())))
    indent, separators = draw(st.sampled_from([(None, (",", ":")), (None, (" , ", " : ")), (2, None), ("\t", None)]))
    text = json.dumps(dict(items), ensure_ascii=draw(st.booleans()), indent=indent, separators=separators)
    around = st.text(" \t\r\n", max_size=3)
    body = (draw(around) + text + draw(around)).encode("utf-8", "surrogatepass")
    return body, dict(items)


@given(stream_requests())
def test_the_option_is_spliced_in_and_nothing_else(drawn: tuple[bytes, dict[str, Any]]) -> None:
    """Taken out again, what is left is the request byte for byte; parsed, it is the request with the option."""
    body, request = drawn
    if not CHAT_COMPLETIONS.read_question(
        body
    ).wants_usage_asked_for:  # lone surrogates are no JSON that a server would take
        return
    asking = ask_for_usage(body, request)
    asked = orjson.loads(asking)
    options = request.get("stream_options") or {}
    assert asked == orjson.loads(body) | {"stream_options": options | {"include_usage": True}}
    start = next(at for at in range(len(asking) + 1) if at == len(body) or asking[at : at + 1] != body[at : at + 1])
    added = len(asking) - len(body)
    if "stream_options" not in request or options:
        assert added > 0
        assert body == asking[:start] + asking[start + added :]


@pytest.mark.parametrize(
    ("body", "asking"),
    [
        (b'{"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (
            b'{"stream":true,"stream_options":null}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream_options" : { } ,"stream":true}',
            b'{"stream_options" : {"include_usage":true} ,"stream":true}',
        ),
        (
            b'{"stream_options":{"a":1},"stream":true,"x":{"stream_options":{}}}',
            b'{"stream_options":{"include_usage":true,"a":1},"stream":true,"x":{"stream_options":{}}}',
        ),
        (
            b'{"x":"\\"stream_options\\":{}","\\u0073tream_options":{"a":1},"stream":true}',
            b'{"x":"\\"stream_options\\":{}","\\u0073tream_options":{"include_usage":true,"a":1},"stream":true}',
        ),
        (
            b'{"stream_options":{"a":1},"stream":true,"stream_options":{"b":2}}',
            b'{"stream_options":{"a":1},"stream":true,"stream_options":{"include_usage":true,"b":2}}',
        ),
        ('{"x":"ü\u2028","stream":true,"stream_options":{}}'.encode(), None),
    ],
)
def test_where_the_option_goes(body: bytes, asking: bytes | None) -> None:
    """First where there are no options, else into them: those of the top level, and of several the last."""
    expected = asking or body.replace(b"{}", b'{"include_usage":true}')
    assert ask_for_usage(body, orjson.loads(body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream":true,"stream_options":{"include_usage":false}}',
        b'{"stream":true,"stream_options":{"include_usage":null}}',
        b'{"stream":true,"stream_options":"yes"}',
        b'{"stream":true,"stream_options":[]}',
        b'{"stream":false}',
        b'{"stream":"true"}',
        b"{}",
        b"[]",
        b'{"stream":true',
    ],
)
def test_what_is_left_alone(body: bytes) -> None:
    """What the agent said of usage counts, no stream needs the option, and a fault is the upstream's to tell of."""
    assert not CHAT_COMPLETIONS.read_question(body).wants_usage_asked_for


def chunk(text: str, **more: object) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}], **more}


chunks = st.lists(
    st.one_of(
        st.text().map(chunk),
        st.just({"id": "c", "choices": [], "prompt_filter_results": []}),
        st.just(chunk('"usage": null, "usage":null')),
        st.just(chunk("", x_groq={"usage": {"prompt_tokens": 1}})),
        st.just({"usage_notes": "none", "choices": []}),
    ),
    max_size=6,
)
comments = st.sampled_from([b": ping", b": OPENROUTER PROCESSING", b":", b"event: ping", b"id: 1"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A stream of an upstream that was not asked for usage, and the same of one that was."""
    end = draw(ENDS)
    without, asked = bytearray(), bytearray()
    ensure, spaced = draw(st.booleans()), draw(st.sampled_from([(",", ":"), (", ", ": ")]))

    def line(said: dict[str, Any]) -> bytes:
        return (
            b"data: " + json.dumps(said, ensure_ascii=ensure, separators=spaced).encode("utf-8", "replace") + end + end
        )

    last = draw(st.booleans())
    for said in draw(chunks):
        if draw(st.booleans()):
            without += (comment := draw(comments) + end + end)
            asked += comment
        without += line(said)
        asked += line({**said, "usage": None} if last else {"usage": None, **said})
    asked += line({"id": "c", "choices": [], "usage": USAGE})
    done = b"data: [DONE]" + draw(st.sampled_from([end + end, end, b""]))
    tail = draw(st.sampled_from([b"", b": bye" + end + end]))
    return bytes(without + done + tail), bytes(asked + done + tail)


def cut_up(data: bytes, places: Sequence[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(streams(), st.lists(st.integers(0, 10**6), max_size=12))
def test_what_was_only_said_because_it_was_asked_is_taken_out(drawn: tuple[bytes, bytes], places: list[int]) -> None:
    """However the stream is cut up, the agent gets the bytes of a stream without the option."""
    without, asked = drawn
    remover = UsageRemover()
    assert b"".join(map(remover.feed, cut_up(asked, places))) + remover.flush() == without


@given(streams())
def test_a_stream_byte_by_byte(drawn: tuple[bytes, bytes]) -> None:
    """A cut between the CR and the LF of a line end leaves no stray LF behind."""
    without, asked = drawn
    remover = UsageRemover()
    passed = b"".join(remover.feed(asked[at : at + 1]) for at in range(len(asked)))
    assert passed + remover.flush() == without


@given(streams(), st.integers(0, 10**6))
def test_a_stream_that_breaks_off_anywhere(drawn: tuple[bytes, bytes], place: int) -> None:
    """What passes before a cut is the beginning of the stream without the option: no part of an extra chunk is in it."""
    without, asked = drawn
    remover = UsageRemover()
    assert without.startswith(remover.feed(asked[: place % (len(asked) + 1)]))


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n',
        b'data: {"choices":[{"index":0,"usage":{"prompt_tokens":1}}]}\n\n',
        b'data: {"choices":[],"error":{"message":"\\"usage\\": null"}}\n\n',
        b'data: {"usage" broken\n\n',
        b'data: ["usage", null]\n\n',
        b': "usage": null\n\n',
    ],
)
def test_what_is_no_extra_chunk_passes(event: bytes) -> None:
    """Usage beside content, or in it, would have been said without the option, too."""
    assert UsageRemover().feed(event) == event


# End to end.


def asked_upstream(upstream: "Upstream", ends: "Sequence[Step]" = (b"0\r\n\r\n",)) -> list[bytes]:
    """An upstream by OpenAI's contract: usage to those who ask, nulls in all other chunks of theirs. Gives its streams."""
    said: list[bytes] = []

    def rule(request: "Message") -> "list[Step]":
        asked = bool((request.json().get("stream_options") or {}).get("include_usage"))
        extra = {"usage": None} if asked else {}
        datas: list[Any] = [chunk("Hel", **extra), chunk("lo \u2028", **extra)]
        datas += [{"choices": [], "usage": USAGE}] if asked else []
        events = [upstream.event(data) for data in datas] + [upstream.event("[DONE]")]
        said.append(b"".join(events))
        return [upstream.stream(end=False), *(upstream.chunk(event) for event in events), *ends]

    upstream.rule = rule
    return said


async def ask(agent: "Agent", body: bytes) -> "Message":
    return await agent.post(body, "Content-Type: application/json", "X-Last: 1")


BODY = (
    '{"model": "m",  "stream" : true, "messages": [{"role": "user", "content": "Gr\u00fc\u00dfe \\u00fc"}]}\n'.encode()
)


async def test_usage_is_asked_for_and_taken_out_again(wire: "Wire", upstream: "Upstream") -> None:
    """Both the agent's bytes and the upstream's are on disk by their hashes, and the counts say where they come from."""
    said = asked_upstream(upstream)
    directly = await ask(await wire.connect(upstream.port), BODY)
    reply = await ask(await wire.agent(), BODY)
    assert (reply.status, reply.passing, reply.body) == (200, directly.passing, directly.body)
    got = upstream.received[-1]
    assert got.body == b'{"stream_options":{"include_usage":true},' + BODY[1:]
    assert [name for name, _ in got.passing] == [b"Content-Type", b"X-Last", b"Content-Length", b"Accept-Encoding"]
    (call,) = wire.calls()
    assert call.outcome == "completed"
    usage = call.usage
    assert (usage.source, usage.input_tokens, usage.output_tokens) == ("injected", 11, 13)
    assert call.request.body_hash == hashlib.sha256(BODY).hexdigest()
    assert call.request.sent_body_hash == hashlib.sha256(got.body).hexdigest()
    assert (call.request.bytes, call.request.sent_bytes) == (len(BODY), len(got.body))
    assert call.response is not None
    assert call.response.body_hash == hashlib.sha256(said[-1]).hexdigest()
    assert call.response.delivered_body_hash == hashlib.sha256(reply.body).hexdigest()
    assert (call.response.bytes, call.response.delivered_bytes) == (len(said[-1]), len(reply.body))
    bodies = BodyReader(wire.store / "default" / "bodies")
    assert bodies.get(str(call.request.body_hash)) == BODY
    assert bodies.get(str(call.request.sent_body_hash)) == got.body
    assert bodies.get(str(call.response.body_hash)) == said[-1]


@pytest.mark.parametrize("include", [b"true", b"false"])
async def test_what_the_agent_said_of_usage_counts(wire: "Wire", upstream: "Upstream", include: bytes) -> None:
    """An explicit `include_usage` is respected, false as well as true: nothing is changed either way."""
    asked_upstream(upstream)
    body = b'{"model":"m","stream":true,"stream_options":{"include_usage":%b}}' % include
    directly = await ask(await wire.connect(upstream.port), body)
    reply = await ask(await wire.agent(), body)
    assert upstream.received[-1].body == body
    assert reply.body == directly.body
    (call,) = wire.calls()
    assert call.request.sent_body_hash is None
    assert call.usage.source == ("provider" if include == b"true" else "absent")


async def test_observing_changes_nothing(wire: "Wire", upstream: "Upstream") -> None:
    """With `usage="observe"` a stream without usage stays one, and the record says that none was told."""
    asked_upstream(upstream)
    directly = await ask(await wire.connect(upstream.port), BODY)
    reply = await ask(await wire.agent(usage="observe"), BODY)
    by_proxy, before = upstream.received[-1], upstream.received[0]
    assert (by_proxy.body, by_proxy.passing) == (BODY, before.passing)
    assert reply.body == directly.body
    (call,) = wire.calls()
    assert (call.request.sent_body_hash, call.usage.source, call.usage.input_tokens) == (None, "absent", None)
    assert call.usage.reason == "the upstream told none"


@pytest.mark.parametrize("status", ["400 Bad Request", "422 Unprocessable Entity"])
async def test_a_refusal_is_repeated_once_without_the_option_and_remembered(
    wire: "Wire", upstream: "Upstream", status: str
) -> None:
    """The agent never sees the refusal; both attempts are recorded, and the upstream is not asked again."""
    refusal = b'{"error":{"message":"unknown member stream_options","type":"invalid_request_error"}}'

    def rule(request: "Message") -> "list[Step]":
        if b"stream_options" in request.body:
            return [upstream.whole(refusal, status)]
        return [upstream.stream(upstream.event(chunk("Hi")), upstream.event("[DONE]"))]

    upstream.rule = rule
    agent = await wire.agent()
    for _ in range(2):
        reply = await ask(agent, BODY)
        assert (reply.status, reply.body) == (200, upstream.event(chunk("Hi")) + upstream.event("[DONE]"))
    assert [request.body == BODY for request in upstream.received] == [False, True, True]
    refused, repeated, third = wire.calls()
    assert (refused.discarded, repeated.discarded, third.discarded) == (True, False, False)
    assert refused.response is not None
    assert refused.response.status == int(status[:3])
    assert refused.error_type == "invalid_request_error"
    assert (repeated.attempt, repeated.outcome, repeated.usage.source) == (2, "completed", "absent")
    assert refused.request_hash == repeated.request_hash == third.request_hash


async def test_a_refusal_for_another_reason_is_the_agents_and_not_remembered(
    wire: "Wire", upstream: "Upstream"
) -> None:
    """A request that is refused without the option, too, is refused; the next stream is asked for usage again."""
    refusal = b'{"error":{"message":"too long","code":"context_length_exceeded"}}'
    upstream.answer(upstream.whole(refusal, "400 Bad Request"))
    agent = await wire.agent()
    reply = await ask(agent, BODY)
    assert (reply.status, reply.body) == (400, refusal)
    assert [call.error_type for call in wire.calls()] == ["context_length_exceeded"] * 2
    asked_upstream(upstream)
    await ask(agent, BODY)
    assert wire.calls()[-1].usage.source == "injected"


async def test_a_refusal_that_breaks_off_is_repeated_too(wire: "Wire", upstream: "Upstream") -> None:
    """The status says enough."""

    def rule(request: "Message") -> "list[Step]":
        if b"stream_options" in request.body:
            return [upstream.head("400 Bad Request", "Content-Length: 99") + b"{", "close"]
        return [upstream.whole(b"{}")]

    upstream.rule = rule
    assert (await ask(await wire.agent(), BODY)).status == 200
    refused, repeated = wire.calls()
    assert (refused.outcome, refused.discarded) == ("upstream_cut", True)
    assert (repeated.outcome, repeated.discarded) == ("completed", False)


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_stream_cut_at_every_place(wire: "Wire", upstream: "Upstream", how: Literal["close", "reset"]) -> None:
    """The agent sees a cut, and before it whole events of the stream without the option, all that came."""
    said = asked_upstream(upstream)
    directly = await ask(await wire.connect(upstream.port), BODY)
    port = (await wire.serve()).port
    await ask(await wire.connect(port), BODY)
    stream = said[-1]
    places = range(1, len(stream) - len(upstream.event("[DONE]")), 7)
    for place in places:
        upstream.answer(upstream.stream(stream[:place], end=False), 0.002, how)
        reply = await ask(await wire.connect(port), BODY)
        assert reply.ending == "cut"
        assert directly.body.startswith(reply.body)
        events = stream[:place].rpartition(b"\n\n")[0].count(b"data: {")
        assert reply.body.count(b"\n\n") == min(events, 2)
    recorded = wire.calls()[1:]
    assert [call.response.bytes for call in recorded if call.response] == list(places)
    assert {call.outcome for call in recorded} == {"upstream_cut"}


async def test_an_answer_that_is_no_stream_passes_as_it_is(wire: "Wire", upstream: "Upstream") -> None:
    """Asked for a stream, a server may answer otherwise: nothing is taken out of that."""
    body = b'{"choices":[],"usage":null,"error":null}\n\n{"usage":null,"a":1}\n\n'
    upstream.answer(upstream.whole(body, "200 OK", "Content-Type: application/json", "X: y"))
    reply = await ask(await wire.agent(), BODY)
    assert (reply.body, reply.one(b"Content-Length")) == (body, str(len(body)).encode())
    assert wire.calls()[0].outcome != "in_flight"


async def test_a_stream_that_does_not_say_that_it_is_one(wire: "Wire", upstream: "Upstream") -> None:
    """Clients take a stream for one because they asked for it, whatever its content type: so does the proxy."""
    events = [upstream.event(chunk("Hi")), upstream.event({"choices": [], "usage": USAGE}), upstream.event("[DONE]")]
    length = sum(map(len, events))
    for content_type in ("text/plain; charset=utf-8", "application/octet-stream", None):
        headers = [f"Content-Type: {content_type}"] if content_type else []
        upstream.answer(upstream.head("200 OK", *headers, f"Content-Length: {length}") + b"".join(events))
        reply = await ask(await wire.agent(), BODY)
        assert reply.body == events[0] + events[2]
        call = wire.calls()[-1]
        assert (call.outcome, call.usage.source, call.usage.input_tokens) == ("completed", "injected", 11)


async def test_a_last_event_without_its_blank_line(wire: "Wire", upstream: "Upstream") -> None:
    """It is delivered when the stream ends, and counted among what was delivered."""
    events = upstream.event({"choices": [], "usage": USAGE}) + b"data: [DONE]"
    upstream.answer(upstream.stream(events))
    reply = await ask(await wire.agent(), BODY)
    assert reply.body == b"data: [DONE]"
    (call,) = wire.calls()
    assert call.response is not None
    assert call.response.delivered_bytes == len(reply.body)
    assert call.response.delivered_body_hash == hashlib.sha256(reply.body).hexdigest()


async def test_a_compressed_request_is_not_changed(wire: "Wire", upstream: "Upstream") -> None:
    """What would have to be compressed again is left as it is."""
    body = gzip.compress(BODY)
    asked_upstream(upstream)
    upstream.answer(upstream.stream(upstream.event("[DONE]")))
    agent = await wire.agent()
    await agent.post(body, "Content-Encoding: gzip")
    assert upstream.received[-1].body == body
    (call,) = wire.calls()
    assert (call.request.model, call.request.streamed, call.request.sent_body_hash) == ("m", True, None)
    assert call.request_hash is not None


async def test_what_cannot_be_spliced_goes_up_as_it_is(wire: "Wire", upstream: "Upstream") -> None:
    """A request that one parser takes and another does not is no reason to fail a call: Python 3.11's json nests less."""
    upstream.answer(upstream.stream(upstream.event("[DONE]")))
    deep = b'{"x":%b,"stream":true,"stream_options":{}}' % (b"[" * 1010 + b"]" * 1010)
    assert CHAT_COMPLETIONS.read_question(deep).wants_usage_asked_for
    assert (await ask(await wire.agent(), deep)).status == 200
    spliced = deep.replace(b'"stream_options":{}', b'"stream_options":{"include_usage":true}')
    assert upstream.received[-1].body == (deep if sys.version_info < (3, 12) else spliced)
