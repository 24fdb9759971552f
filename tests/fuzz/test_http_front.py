"""Bytes that are nearly HTTP, sent to a real proxy on a real socket, against another parser's word for what they mean."""

import asyncio
import contextlib
import hashlib
import os
import posixpath
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import unquote_to_bytes

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress
from tachograph.traces import read_calls

PATIENCE = 60.0
"""Seconds for what takes milliseconds."""
SETTINGS = settings(
    max_examples=int(os.environ.get("TACHOGRAPH_FUZZ_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Front:
    """A proxy in a thread of its own, and what its upstream got to see."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.port = 0
        self.received: list[tuple[bytes, bytes]] = []
        """Method and target, and body, of each request."""
        self.faults: list[str] = []
        """What was no HTTP of what the proxy sent up."""

    def send(self, *pieces: bytes, answers: int = 0) -> bytes:
        """Send bytes on a connection of their own, in these pieces, and hang up when so many answers are there.

        All that came back.
        """
        got = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):  # it may be refused before it has all been said
                for piece in pieces:
                    connection.sendall(piece)
                while got.count(b"HTTP/1.1 ") < answers and (piece := connection.recv(65536)):
                    got += piece
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    got += piece
        return bytes(got)


async def _serve_upstream(front: Front) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while data := await reader.read(65536):
                connection.receive_data(data)
                for request, body in _complete(connection):
                    front.received.append((request.method + b" " + request.target, body))
                    said = b"" if request.method == b"HEAD" else b"{}"
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + said)
        except h11.RemoteProtocolError as error:
            front.faults.append(str(error))
        except ConnectionError:
            pass
        finally:
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


def _complete(connection: h11.Connection) -> Iterator[tuple[h11.Request, bytes]]:
    """The requests that are complete by now, as a strict parser reads them."""
    request, body = None, b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            request, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            yield request, body
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()
        else:
            return


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    front = Front(tmp_path_factory.mktemp("fuzz") / "store")
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        upstream = await _serve_upstream(front)
        address = UpstreamAddress.parse(f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1")
        async with Proxy(ProxySettings(upstream=address, store=front.store, default_run="fuzz")) as proxy:
            front.port = proxy.port
            started.set_result((asyncio.get_running_loop(), over))
            await over.wait()
        upstream.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, over = started.result(PATIENCE)
    yield front
    loop.call_soon_threadsafe(over.set)
    thread.join(PATIENCE)
    assert not thread.is_alive()


def requests_in(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """The requests to `/v1` that a strict parser finds; None if there is anything else."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        found = [(request, body) for request, body in _complete(connection)]
    except h11.ProtocolError:  # it switches to something that is no HTTP, too
        return None
    rest, _ = connection.trailing_data
    if rest or connection.their_state is not h11.IDLE or not all(_is_plain(request) for request, _ in found):
        return None
    return [(request.method + b" " + request.target, body) for request, body in found]


def _is_plain(request: h11.Request) -> bool:
    """Whether there are no two ways to read it, and no reason to refuse it."""
    names = {name for name, _ in request.headers}
    is_clear = request.http_version == b"1.1" and not {b"content-length", b"transfer-encoding"} <= names
    is_known = request.method in {b"POST", b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"}
    return is_clear and is_known and request.target.startswith(b"/v1/") and not _ODD.search(request.target)


_ODD = re.compile(rb"#|\.\.|%2e", re.IGNORECASE)
_REFUSED = re.compile(
    rb"""tachograph                                                       # a key or a run that is not known
    | upgrade
    | (?<!\r)\n | \n[ \t]                                             # lines that end in a lone LF, or are folded
    | ^content-length:.*\r\n (?: [^\r\n]+\r\n )* content-length:      # two lengths, though they be the same
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
METHODS = st.sampled_from(
    [b"POST", b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"get", b"PRI", b"M-SEARCH"]
)
TARGETS = st.sampled_from(
    [
        b"/v1/chat/completions",
        b"/v1/chat/completions?x=1&api_key=k",
        b"/v1",
        b"/v1/../admin",
        b"/v1/%2e%2e/admin",
        b"/v1/..%2fadmin",
        b"/v1/a/../b",
        b"/v1/a/..\\..\\..\\admin",
        b"/v1/models/a%2fb",
        b"/v1%2fchat",
        b"//v1/chat",
        b"/r/fuzz/v1/models",
        b"/r/../../etc/v1/models",
        b"/r/%2e%2e/v1/models",
        b"http://other.example/v1/models",
        b"http://other.example:80/r/fuzz/v1/models",
        b"other.example:443",
        b"*",
        b"/v1/a b",
        b"/v1/\xff",
        b"/v1/x#fragment",
    ]
)
LINES = st.sampled_from(
    [
        b"Host: other.example",
        b"Host: ",
        b"X-Forwarded-Host: other.example",
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: 0x5",
        b"Content-Length: 99999999999999999999",
        b"Content-Length : 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b" Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive, content-length",
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Expect: 100-continue",
        b"Content-Encoding: zstd",
        b"Content-Encoding: gzip, br, nonsense",
        b"Authorization: Bearer tachograph-wrong",
        b"X-Tachograph-Run: ../../outside",
        b"X: \x00",
        b"X: \xff\xfe",
        b": nameless",
        b"no colon",
        b"X: a\r\n folded",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"hello",
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;x=y\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffff1\r\nhello",
        b'{"stream":true,"messages":' + b"[" * 200,
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request: often right, often wrong where servers read in two ways."""
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1", b""]))
    first = b" ".join((draw(METHODS), draw(TARGETS), version))
    body = draw(BODIES)
    right = [b"Host: x", b"Content-Length: %d" % len(body)]
    lines = [*draw(st.sampled_from([right, right[:1], []])), *draw(st.lists(LINES, max_size=3))]
    end = draw(ENDS)
    return end.join((first, *lines, b"", b"")) + body


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Up to three requests on one connection, some of their bytes altered, cut into pieces anywhere."""
    data = bytearray(b"".join(draw(st.lists(requests(), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return [bytes(data[start:end]) for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(conversations())
@example([b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"])
@example([b"POST /v1/x HTTP/1.1\r\nHost: x\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"])
@SETTINGS
def test_whatever_is_sent(front: Front, pieces: list[bytes]) -> None:
    """No bytes break the proxy, and what goes up is HTTP that can be read in one way only.

    What a strict parser takes for requests to the proxy is answered and goes up, in its order, byte for byte. Whatever else
    is said: the proxy answers or hangs up, goes on serving, and nothing goes up but requests below the upstream's own base.
    """
    data = b"".join(pieces)
    before = len(front.received)
    expected = requests_in(data)
    answer = front.send(*pieces, answers=len(expected or ()))
    assert not answer or answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 "))
    went_up = front.received[before:]
    assert front.faults == []
    paths = [posixpath.normpath(unquote_to_bytes(line.split(b" ", 1)[1].partition(b"?")[0])) for line, _ in went_up]
    assert all(path.split(b"/")[:2] == [b"", b"v1"] for path in paths)
    if expected is not None and not _is_refused(data):
        assert went_up == expected
    well = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert front.send(well, answers=1).startswith(b"HTTP/1.1 200 OK\r\n")


def _is_refused(data: bytes) -> bool:
    """Whether a strict parser takes what the proxy refuses with good reason."""
    return _REFUSED.search(data) is not None


def test_all_of_it_is_recorded(front: Front) -> None:
    """After all that, each request that went up is a call of the run by its body's hash, and nothing lies outside the store."""
    front.send(b"POST /v1/last HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", answers=1)
    runs = [folder for folder in front.store.iterdir() if not folder.name.startswith(".")]
    recorded = Counter(call.request.body_hash or "" for run in runs for call in read_calls(run))
    went_up = Counter(hashlib.sha256(body).hexdigest() for _, body in front.received)
    assert front.received
    assert went_up - recorded == Counter()
    assert {path.name for path in front.store.parent.iterdir()} == {front.store.name}
