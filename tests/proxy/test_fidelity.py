"""The agent must not notice: the same exchange, once directly and once through the proxy, has the same bytes."""

import gzip
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from random import Random
from typing import TYPE_CHECKING, Final

import brotli
import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Message, Step, Upstream, Wire

EXCHANGES: Final = 320
MEGABYTES_20: Final = 20 * 2**20

TARGETS: Final = (
    "/v1",
    "/v1/",
    "/v1/chat/completions",
    "/v1/chat/completions?beta=true&beta=false",
    "/v1/models",
    "/v1/models/org%2Fmodel%3Alatest",
    "/v1/models/a%2fb%20c?x=%7e~&y=%C3%A9",
    "/v1//double//slash/",
    "/v1/./dot/../dots",
    "/v1/messages?beta=true",
    "/v1/files;v=1/a+b@c:d,e'(f)*!$&=",
    "/v1/files?purpose=fine%20tune+x&empty=&=novalue&&novalue&a[]=1&a[]=2&j={%22k%22:1}",
    "/v1/search?q=%zz%&u=http://x/y?z=1&plus=%2B+&s=/../",
    '/v1/search?api-version=2024-10-21&q=%E2%80%A8|^`\\"<>',
)
METHODS: Final = ("POST", "POST", "POST", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
STATUSES: Final = (
    "200 OK",
    "200 OK",
    "200 OK",
    "201 Created",
    "202 ",
    "204 No Content",
    "304 Not Modified",
    "307 Temporary Redirect",
    "400 Bad Request",
    "401 Unauthorized",
    "404 Not Found, sorry",
    "422 Unprocessable Entity",
    "429 Too Many Requests",
    "500 Internal Server Error",
    "503 Service Unavailable",
    "529 Overloaded",
)
REQUEST_HEADERS: Final = (
    "User-Agent: Agent/1.0 (x; y)",
    "USER-AGENT: shouting",
    "accept: application/json",
    "ACCEPT: */*",
    "Accept: text/event-stream",
    "accept-encoding: gzip, deflate, br, zstd",
    "Accept-Encoding: identity;q=0",
    "content-type: application/json; charset=utf-8",
    "Content-type: multipart/form-data; boundary=x",
    "X-Stainless-Retry-Count: 2",
    "x-rig-run: RUN42",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    "Cookie: a=1; b=2",
    "anthropic-beta: one",
    "Anthropic-Beta: two,three",
    "X-Empty:",
    "X-Text: caf\u00e9 \u2028 \U0001f600",
    "X-Latin-1: caf\udce9 \udcff",
    "x-latin-1: \udc80",
    "X-Odd_name.!#$%&'*+-^`|~: v",
    f"X-Long: {'beta-' * 6000}",
    "Authorization: Bearer sk-of-the-agent",
    "x-api-key: sk-of-the-agent",
    'If-None-Match: W/"x", "y"',
    "Range: bytes=0-9",
    "Forwarded: for=1.2.3.4",
    "Keep-Alive: timeout=5",
    "TE: trailers",
)
RESPONSE_HEADERS: Final = (
    "Server: nginx",
    "server: another",
    "Date: Thu, 01 Jan 1970 00:00:00 GMT",
    "Set-Cookie: a=1; Path=/",
    "Set-Cookie: b=2; HttpOnly",
    "set-cookie: c=3",
    "X-Request-Id: req_1",
    "x-ratelimit-remaining-tokens: 12",
    "Retry-After: 7",
    "retry-after-ms: 7000",
    "Location: /v1/elsewhere",
    'ETag: "x"',
    "Cache-Control: no-cache",
    "X-Text: caf\u00e9",
    "X-Latin-1: caf\udce9",
    "X-Empty:",
    f"X-Long: {'y' * 20_000}",
    "Keep-Alive: timeout=5",
    "Vary: Origin",
    "Via: 1.1 cdn",
)
CODINGS: Final = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What an agent sends, and by what steps it is answered."""

    name: str
    method: str
    head: bytes
    body: bytes
    waits_for_continue: bool
    steps: "list[Step]"


def chunk(text: str, **more: object) -> str:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return json.dumps({"id": "c1", "model": "m", "choices": [delta], **more}, ensure_ascii=False)


def stream_body(random: Random) -> bytes:
    """Events of every form that a server may send, and some that none should."""
    end = random.choice(("\n", "\r\n", "\r", "\n", "\r\n"))
    datas = [
        ": keep-alive",
        ": OPENROUTER PROCESSING",
        chunk("Gr\u00fc\u00dfe \u2028 \U0001f600"),
        chunk(""),
        chunk("x" * 300),
    ]
    events = [
        data if data.startswith(":") else f"data: {data}" for data in random.choices(datas, k=random.randrange(2, 12))
    ]
    events += random.choice(
        (
            [],
            [f"data:{chunk('no space')}"],
            [f"event: message{end}id: 7{end}retry: 10{end}data: {chunk('fields')}"],
            ['data: {"error":{"message":"overloaded","type":"server_error","code":529}}'],
            [f'event: error{end}data: {{"message":"overloaded"}}'],
            [f"data: {chunk('', usage={'prompt_tokens': 3, 'completion_tokens': 4})}", "data: not json", "data"],
        )
    )
    if random.random() < 0.8:
        events.append("data: [DONE]")
    if random.random() < 0.2:
        events += [": trailing", "data: {}", ""]
    body = (end + end).join(events) + random.choice((end + end, end, ""))
    return body.encode()


def response_body(random: Random) -> tuple[str, bytes]:
    """A content type and a body."""
    kind = random.randrange(8)
    if kind < 4:
        return random.choice(("text/event-stream", "text/event-stream; charset=utf-8")), stream_body(random)
    if kind == 4:
        return "application/json", b""
    if kind == 5:
        return "application/octet-stream", random.randbytes(random.randrange(1, 70_000))
    message = {"role": "assistant", "content": "Gr\u00fc\u00dfe " * random.randrange(1, 3000)}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    answer = {"id": "w1", "model": "m", "choices": [{"index": 0, "message": message}], "usage": usage}
    return "application/json", json.dumps(answer, ensure_ascii=False, indent=random.choice((None, 2))).encode()


def pieces(random: Random, body: bytes) -> list[bytes]:
    """The body cut up: at every byte, at some places, or not at all."""
    if not body:
        return []
    way = random.randrange(3)
    if way == 0 and len(body) < 3000:
        return [body[at : at + 1] for at in range(len(body))]
    cuts = sorted(random.sample(range(len(body)), min(len(body), random.randrange(1, 9)))) if way else []
    return [piece for start, end in pairwise((0, *cuts, len(body))) if (piece := body[start:end])]


def steps_of(random: Random, method: str, old: bool) -> "tuple[str, list[Step]]":  # noqa: FBT001
    status = random.choice(STATUSES)
    headers = random.sample(RESPONSE_HEADERS, random.randrange(len(RESPONSE_HEADERS)))
    content_type, body = response_body(random)
    if random.random() < 0.3:
        coding = random.choice(tuple(CODINGS))
        headers.append(random.choice(("Content-Encoding: ", "content-encoding: ")) + coding)
        body = CODINGS[coding](body)
    if random.random() < 0.9:
        headers.append(f"Content-Type: {content_type}")
    random.shuffle(headers)
    bodiless = method == "HEAD" or status[:3] in ("204", "304")
    framing = random.choice(("length", "length", "chunked", "chunked", "close"))
    framing = "length" if framing == "chunked" and (old or bodiless) else framing
    breaks = random.random() < 0.15 and not bodiless
    parts = pieces(random, body)
    if framing == "length" and status[:3] != "204":
        length = len(body) + random.randrange(1, 5) if breaks else len(body)
        headers.insert(random.randrange(len(headers) + 1), f"content-length: {length}")
    elif framing == "chunked":
        headers.insert(random.randrange(len(headers) + 1), "Transfer-Encoding: chunked")
        parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        parts += [b"5\r\nab"] if breaks else [b"0\r\n\r\n"]
    elif not bodiless:
        headers.append("Connection: close")
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, "", ""))
    steps: list[Step] = [head.encode("utf-8", "surrogateescape")]
    steps += () if bodiless else parts
    if not bodiless and (breaks or framing == "close"):
        steps.append("close")
    return f"{status[:3]}, {framing}{', broken off' if breaks else ''}, {content_type}", steps


def body_of_request(random: Random) -> tuple[bytes, list[str]]:
    kind = random.randrange(6)
    if kind == 0:
        return b"", []
    if kind == 1:
        return random.randbytes(random.randrange(1, 100_000)), []
    messages = [{"role": "user", "content": "Gr\u00fc\u00dfe \u2028 " * random.randrange(1, 300)}]
    # A stream that asks for usage itself: what is added to others is another test's affair.
    asked: dict[str, object] = {"stream": True, "stream_options": {"include_usage": random.random() < 0.5}}
    body = {"model": "m", **(asked if random.random() < 0.7 else {}), "messages": messages, "temperature": 1e-7}
    data = json.dumps(body, ensure_ascii=random.random() < 0.5, indent=random.choice((None, 1))).encode()
    if kind == 2:
        coding = random.choice(tuple(CODINGS))
        return CODINGS[coding](data), [f"Content-Encoding: {coding}"]
    return data, []


def request_of(random: Random) -> tuple[str, bytes, bytes, bool, bool]:
    """Method, head, body; whether it waits for `100 Continue`, and whether it is HTTP/1.0."""
    method = random.choice(METHODS)
    old = random.random() < 0.1
    headers = random.sample(REQUEST_HEADERS, random.randrange(len(REQUEST_HEADERS)))
    body, more = body_of_request(random) if method not in ("GET", "HEAD", "OPTIONS") else (b"", [])
    headers += more
    waits = not old and bool(body) and random.random() < 0.1
    if waits:
        headers.append("Expect: 100-continue")
    if old and random.random() < 0.5:
        headers.append("Connection: keep-alive")
    if method in ("POST", "PUT") and not old and random.random() < 0.3:
        headers.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(random, body)) + b"0\r\n\r\n"
    elif method not in ("GET", "HEAD", "OPTIONS"):
        headers.append(f"Content-Length: {len(body)}")
    random.shuffle(headers)
    headers.insert(random.randrange(len(headers) + 1), "hOST: somewhere")
    first = f"{method} {random.choice(TARGETS)} HTTP/1.{0 if old else 1}"
    return method, "\r\n".join((first, *headers, "", "")).encode("utf-8", "surrogateescape"), body, waits, old


def exchanges() -> Iterator[Exchange]:
    for seed in range(EXCHANGES):
        random = Random(seed)
        method, head, body, waits, old = request_of(random)
        described, steps = steps_of(random, method, old)
        first_line, _, _ = head.partition(b"\r\n")
        name = f"exchange {seed}: {first_line!r} ({len(body)} bytes); {described}"
        yield Exchange(name=name, method=method, head=head, body=body, waits_for_continue=waits, steps=steps)


def large_exchanges() -> Iterator[Exchange]:
    random = Random(20)
    # Neither compressible as a whole nor wholly random: images in base64 between words.
    text = random.randbytes(MEGABYTES_20 // 4).hex() + "word " * (MEGABYTES_20 // 10)
    asked = {"model": "m", "messages": [{"role": "user", "content": text}]}
    body = json.dumps(asked).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    small = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    with_length = f"{head}Content-Length: {len(body)}\r\n\r\n".encode()
    with_chunks = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
    chunks = b"".join(b"10000\r\n%b\r\n" % body[at : at + 2**16] for at in range(0, MEGABYTES_20, 2**16)) + b"0\r\n\r\n"
    yield Exchange(name="20 MB up", method="POST", head=with_length, body=body, waits_for_continue=False, steps=[small])
    yield Exchange(
        name="20 MB up, chunked", method="POST", head=with_chunks, body=chunks, waits_for_continue=False, steps=[small]
    )
    answer_head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    stream_head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    event = b"data: " + chunk(text[: 2**20]).encode() + b"\n\n"
    events = [b"%x\r\n%b\r\n" % (len(event), event)] * 20
    done = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    question = b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}'
    ask = f"{head}Content-Length: {len(question)}\r\n\r\n".encode()
    answers: dict[str, list[Step]] = {
        "20 MB down": [answer_head, body],
        "20 MB of events down": [stream_head, *events, done],
    }
    for name, steps in answers.items():
        yield Exchange(name=name, method="POST", head=ask, body=question, waits_for_continue=False, steps=steps)


class Relay:
    """Makes exchanges on one connection for as long as it lasts, as an agent would."""

    def __init__(self, wire: "Wire", port: int, upstream: "Upstream") -> None:
        self._wire, self._port, self._upstream = wire, port, upstream
        self._agent: Agent | None = None

    async def make(self, exchange: Exchange) -> "tuple[Message, Message]":
        """What the upstream got, and what the agent got."""
        self._upstream.rule = lambda _: exchange.steps
        before = len(self._upstream.received)
        agent = self._agent or await self._wire.connect(self._port)
        await agent.send(exchange.head)
        if exchange.waits_for_continue:
            assert await agent.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await agent.send(exchange.body)
        reply = await agent.reply(exchange.method)
        received = self._upstream.received[before:]
        assert len(received) == 1, f"{exchange.name}: {reply}"
        closes = reply.ending != "clean" or b"close" in reply.all(b"Connection") or b" HTTP/1.0\r\n" in exchange.head
        self._agent = None if closes else agent
        return received[0], reply


def request_seen(message: "Message") -> tuple[object, ...]:
    method, target, _ = message.first_line.split(b" ")
    return method, target, list(message.passing), message.body


def reply_seen(message: "Message") -> tuple[object, ...]:
    _, status, reason = message.first_line.split(b" ", 2)
    return status, reason, list(message.passing), message.body, message.ending


def difference(directly: Sequence[object], by_proxy: Sequence[object]) -> str:
    """The first thing that is not the same, short enough to be read; empty if all is."""
    for one, other in zip_longest(directly, by_proxy):
        if one != other and isinstance(one, list) and isinstance(other, list):
            return difference(one, other)
        if one != other:
            return f"directly {one!r:.300}, through the proxy {other!r:.300}"
    return ""


async def compare(wire: "Wire", port: int, upstream: "Upstream", exchanges: Iterator[Exchange]) -> tuple[int, int]:
    """How many exchanges and bytes were the same, both ways."""
    directly, by_proxy = Relay(wire, upstream.port, upstream), Relay(wire, port, upstream)
    count = size = 0
    for exchange in exchanges:
        sent, got = await directly.make(exchange)
        sent_by_proxy, got_by_proxy = await by_proxy.make(exchange)
        assert not difference(request_seen(sent), request_seen(sent_by_proxy)), f"the upstream's, {exchange.name}"
        assert not difference(reply_seen(got), reply_seen(got_by_proxy)), f"the agent's, {exchange.name}"
        count += 1
        size += len(sent.raw_head) + len(sent.body) + len(got.raw_head) + len(got.body)
    return count, size


async def test_bytes_are_those_of_a_direct_connection(
    wire: "Wire", upstream: "Upstream", capsys: pytest.CaptureFixture[str]
) -> None:
    """Method, target, headers, body, status, reason, and whether the end is a cut: as without the proxy; all recorded."""
    proxy = await wire.serve()
    count, size = await compare(wire, proxy.port, upstream, exchanges())
    large, large_size = await compare(wire, proxy.port, upstream, large_exchanges())
    with capsys.disabled():
        print(f"\nfidelity: {count + large} exchanges, {size + large_size:,} bytes the same both ways")  # noqa: T201
    assert count >= 200
    recorded = wire.calls()
    assert len(recorded) == count + large
    assert all(call.outcome in ("completed", "upstream_cut") for call in recorded)
