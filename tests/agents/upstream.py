"""An upstream that answers by rule in three APIs, fails as planned, and keeps its own log of every byte."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from tests.agents.answers import APIS, Answer, Event, Usage
from tests.agents.model import say

Fault = Literal["429", "500", "cut"]
_LATE = 0.05
"""Seconds between the last event and the end of the body: agents that hang up at the last event do so here."""


@dataclass(slots=True, kw_only=True)
class Logged:
    """One request as the upstream saw it, and what it answered."""

    api: str
    target: str
    streamed: bool
    request_hash: str
    request_bytes: int
    keys: tuple[str, ...]
    """Values of headers that carry keys."""
    at: float
    """Seconds by the monotonic clock."""
    status: int = 200
    fault: Fault | None = None
    said: bytearray = field(default_factory=bytearray, repr=False)
    """The bytes of the body that were sent before the agent hung up."""
    usage: Usage | None = None
    """As far as it was told."""


class RuleUpstream:
    """Serves on a thread of its own until it is closed."""

    def __init__(self, faults: Mapping[int, Fault]) -> None:
        """Take the faults by the number of the request, from 1."""
        self.faults = faults
        self.log: list[Logged] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"upstream": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def rule_upstream(faults: Mapping[int, Fault] | None = None) -> Iterator[RuleUpstream]:
    """An upstream for the time of the block."""
    upstream = RuleUpstream(faults or {})
    try:
        yield upstream
    finally:
        upstream.close()


class _Handler(BaseHTTPRequestHandler):
    upstream: RuleUpstream
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        api = next((end for end in APIS if self.path.partition("?")[0].endswith(end)), None)
        if api is None:
            self.whole(404, b'{"error": {"message": "no such path"}}', None)
            return
        request = json.loads(body)
        logged = Logged(
            api=api,
            target=self.path,
            streamed=bool(request.get("stream")),
            request_hash=sha256(body).hexdigest(),
            request_bytes=len(body),
            keys=tuple(self.headers[name] for name in ("Authorization", "x-api-key") if name in self.headers),
            at=time.monotonic(),
        )
        with self.upstream.lock:
            self.upstream.log.append(logged)
            number = len(self.upstream.log)
        logged.fault = self.upstream.faults.get(number)
        with contextlib.suppress(OSError):
            self.answer(number, request, logged)

    def answer(self, number: int, request: dict[str, Any], logged: Logged) -> None:
        if logged.fault in ("429", "500"):
            logged.status = int(logged.fault)
            error = {"message": "by plan", "type": "planned", "code": None}
            self.whole(logged.status, json.dumps({"type": "error", "error": error}).encode(), logged)
            return
        text, tool, arguments = say(request)
        usage = _usage(number, request, text + arguments)
        answer = Answer(number=number, model=request["model"], text=text, tool=tool, arguments=arguments, usage=usage)
        make_whole, make_events = APIS[logged.api]
        if logged.streamed:
            self.stream(list(make_events(answer, request)), logged, usage)
        else:
            logged.usage = usage
            self.whole(200, json.dumps(make_whole(answer, request)).encode(), logged)

    def whole(self, status: int, body: bytes, logged: Logged | None) -> None:
        cut = logged is not None and logged.fault == "cut"
        sent = body[: len(body) // 2] if cut else body
        retry = "Retry-After: 1\r\n" if status == HTTPStatus.TOO_MANY_REQUESTS else ""
        first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
        # In one piece: there are clients that hang up at the head of an error.
        self.wfile.write(f"{first}{retry}Content-Length: {len(body)}\r\n\r\n".encode() + sent)
        if logged is not None:
            logged.said += sent
            if cut:
                logged.usage = None
        if cut:
            self.hang_up()

    def stream(self, events: list[Event], logged: Logged, usage: Usage) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        planned = events[: len(events) // 2] if logged.fault == "cut" else events
        for kind, data in planned:
            said = data if isinstance(data, str) else json.dumps(data)
            event = ((f"event: {kind}\n" if kind else "") + f"data: {said}\n\n").encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            logged.said += event
        if logged.fault == "cut":
            self.hang_up()
            return
        logged.usage = usage
        time.sleep(_LATE)
        self.wfile.write(b"0\r\n\r\n")

    def hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        pass


def _usage(number: int, request: Mapping[str, Any], said: str) -> Usage:
    """Counts that differ from call to call, with something cached from the second call on."""
    asked = len(json.dumps(request).split())
    return Usage(
        input_tokens=asked,
        output_tokens=len(said) // 4 + number,
        cached_tokens=asked // 2 if number > 1 else 0,
        reasoning_tokens=number,
    )
