"""What a request to the proxy is: which run, which question, which headers; then an exchange."""

import asyncio
import hashlib
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from ..traces import CallRequest, InputError, StoreError
from ._answer import Question
from ._call_record import CallRecord
from ._decoding import BodyDecoder, DecodingError
from ._exchange import INTERRUPTED, Exchange, UpstreamUnreachableError
from ._headers import RUN_HEADER, forwarded, recorded_head, recorded_query, with_key, without_keys
from ._injection import UsageRemover, ask_for_usage
from ._keys import PREFIX
from ._observation import Observation, read_question, session_of
from ._runs import OpenRun, OpenRuns, Target, WrongKeyError, split_target
from ._settings import ProxySettings
from ._upstream import Outgoing, Upstream

__all__ = ["Handler"]

_NOT_FOR_THE_UPSTREAM: Final = frozenset({b"host", RUN_HEADER.encode()})


@dataclass(slots=True, kw_only=True)
class _Incoming:
    """A request as it came. Its body is let go of when it is answered: many streams are open at a time."""

    request: web.BaseRequest
    target: Target
    run: OpenRun
    body: bytes | None
    question: Question
    start_ns: int
    """Unix time at which its head was in, nanoseconds."""
    started: int
    """The monotonic clock at that moment."""
    read: int
    """The monotonic clock when its body was in."""

    def let_go(self) -> None:
        """The request will not be sent again."""
        self.body = None
        self.question = Question(api=self.question.api)


class Handler:
    """Answers the requests of agents."""

    def __init__(self, settings: ProxySettings, runs: OpenRuns, upstream: Upstream) -> None:
        """Take what is shared by all requests."""
        self._settings = settings
        self._runs = runs
        self._upstream = upstream
        self._asks_for_usage = settings.usage == "inject"
        self._at_work: set[asyncio.Task[Any]] = set()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        task = asyncio.current_task()
        assert task is not None
        self._at_work.add(task)
        try:
            return await self._handle(request)
        finally:
            self._at_work.discard(task)

    async def stop(self, grace: float) -> None:
        """Give requests some seconds to end, and interrupt those that do not."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + grace
        while self._at_work and (left := deadline - clock()) > 0:
            await asyncio.wait(self._at_work, timeout=left)
        for task in self._at_work:
            task.cancel(INTERRUPTED)
        if self._at_work:
            await asyncio.wait(self._at_work)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        start_ns, started = time.time_ns(), time.perf_counter_ns()
        target = split_target(request.raw_path)
        if target is None:
            return _error(HTTPStatus.NOT_FOUND, "not_found", "tachograph serves /v1/… and /r/RUN/v1/…")
        try:
            run = self._runs.run_of(target, request.headers)
        except WrongKeyError as error:
            return _error(HTTPStatus.UNAUTHORIZED, "invalid_api_key", str(error))
        except InputError as error:
            return _error(HTTPStatus.BAD_REQUEST, "invalid_run", str(error))
        except StoreError as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "cannot_record", str(error))
        if run is None:
            return _error(HTTPStatus.NOT_FOUND, "no_run", "name a run: /r/RUN/v1/…, a run key, or x-tachograph-run")
        incoming = await _incoming(request, target, run, start_ns, started)
        try:
            return await self._answer(incoming)
        except UpstreamUnreachableError as error:
            message = f"tachograph: no answer from the upstream {self._upstream.address.base}: {error}"
            return _error(HTTPStatus.BAD_GATEWAY, "upstream_unreachable", message)

    async def _answer(self, incoming: _Incoming) -> web.StreamResponse:
        """Ask with the option for usage where it is missing, and if the upstream refuses that, once without it."""
        asking = self._asking(incoming)
        if asking is not None:
            response = await self._exchange(incoming, asking)
            if response is not None:
                return response
            response = await self._exchange(incoming, None)
            if response is not None and response.status < HTTPStatus.BAD_REQUEST:
                self._asks_for_usage = False
        else:
            response = await self._exchange(incoming, None)
        assert response is not None, "a request as the agent sent it is not refused for what was added"
        return response

    def _asking(self, incoming: _Incoming) -> bytes | None:
        """The request with the option for usage; None if it has it, needs none, or is not to be changed."""
        if not self._asks_for_usage or not incoming.question.wants_usage_asked_for:
            return None
        if incoming.body is None or "Content-Encoding" in incoming.request.headers:
            return None
        try:
            return ask_for_usage(incoming.body, incoming.question.parsed)
        except RecursionError:
            return None

    async def _exchange(self, incoming: _Incoming, asking: bytes | None) -> web.StreamResponse | None:
        """One exchange; `asking`: the body that also asks for usage."""
        request = self._recorded_request(incoming, asking)
        run_id = incoming.run.recording.run_id
        response_body = incoming.run.recording.bodies.new_response()
        observation = Observation(
            run_id, request, incoming.question, response_body, start_ns=incoming.start_ns, started=incoming.started
        )
        observation.stamp("request_read", incoming.read)
        record = CallRecord(incoming.run, observation, sync=self._settings.sync)
        await record.announce(incoming.body or b"", asking)
        remover = None if asking is None else UsageRemover()
        exchange = Exchange(incoming.request, observation, record, remover, incoming.let_go)
        return await exchange.relay(self._upstream.send(self._outgoing(incoming, asking), exchange.sent))

    def _recorded_request(self, incoming: _Incoming, asking: bytes | None) -> CallRequest:
        body, question = incoming.body or b"", incoming.question
        return CallRequest(
            method=incoming.request.method,
            path=incoming.target.path,
            query=recorded_query(incoming.target.query),
            server_address=self._upstream.address.host,
            server_port=self._upstream.address.port,
            api=question.api,
            provider="openai" if question.api else None,
            model=question.model,
            streamed=question.streamed,
            session_id=session_of(incoming.request.headers),
            body_hash=hashlib.sha256(body).hexdigest(),
            bytes=len(body),
            sent_body_hash=None if asking is None else hashlib.sha256(asking).hexdigest(),
            sent_bytes=None if asking is None else len(asking),
            head=recorded_head(incoming.request.raw_headers),
        )

    def _outgoing(self, incoming: _Incoming, asking: bytes | None) -> Outgoing:
        headers = forwarded(incoming.request.raw_headers, _NOT_FOR_THE_UPSTREAM)
        if asking is not None:
            if "Content-Length" in headers:
                headers["Content-Length"] = str(len(asking))
            # What is encoded cannot be cut; a stream that is not encoded is what nearly all upstreams send anyway.
            headers["Accept-Encoding"] = "identity"
        if self._settings.upstream_key is not None:
            with_key(headers, self._settings.upstream_key)
        else:
            # The agent's own key passes; a run key never goes up.
            without_keys(headers, PREFIX)
        query = f"?{incoming.target.query}" if incoming.target.query else ""
        return Outgoing(
            method=incoming.request.method,
            target=incoming.target.path.removeprefix("/v1") + query,
            headers=headers,
            body=incoming.body if asking is None else asking,
            chunked="Content-Length" not in incoming.request.headers,
        )


async def _incoming(request: web.BaseRequest, target: Target, run: OpenRun, start_ns: int, started: int) -> _Incoming:
    body = await _read_body(request)
    return _Incoming(
        request=request,
        target=target,
        run=run,
        body=body,
        question=_question(request, target, body),
        start_ns=start_ns,
        started=started,
        read=time.perf_counter_ns(),
    )


def _question(request: web.BaseRequest, target: Target, body: bytes | None) -> Question:
    encoding = request.headers.get("Content-Encoding", "")
    try:
        return read_question(request.method, target.path, BodyDecoder(encoding).feed(body or b""))
    except DecodingError:
        return read_question(request.method, target.path, b"")


async def _read_body(request: web.BaseRequest) -> bytes | None:
    """The request's body, None if it has none. Not by `request.read()`, which would keep it as long as the request."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    if not request.body_exists:
        return None
    return await request.content.read()


def _error(status: HTTPStatus, code: str, message: str) -> web.Response:
    """An error in the shape of OpenAI's, so that every client can show it."""
    error = {"message": message, "type": "tachograph_error", "param": None, "code": code}
    return web.Response(status=status, body=orjson.dumps({"error": error}), content_type="application/json")
