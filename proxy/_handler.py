"""What a request to the proxy is: which run, which question, which headers; then an exchange."""

from dataclasses import dataclass, replace
from typing import Final

from ..traces import CONTEXT_HEADERS, CallRequest, OpenCall, StoreError, read_context, traceparent
from ._agent_request import AgentRequest
from ._call_record import CallRecord
from ._exchange import Exchange
from ._headers import (
    RUN_HEADER,
    forwarded,
    forwarded_upgrade,
    replaced,
    with_key,
    without_keys,
    without_protocol_keys,
    without_query_keys,
)
from ._keys import PREFIX
from ._large_body import LargeBody
from ._observation import Observation
from ._refusal import Refusal, RefusedError
from ._refused_calls import RefusedCalls
from ._request_record import read_question, recorded_request
from ._response import send_error
from ._runs import OpenRun, OpenRuns, Target, split_target
from ._settings import ProxySettings
from ._upstream import Outgoing, Upstream
from ._upstream_connection import UpstreamUnreachableError
from ._upstreams import Upstreams
from .apis import Api, Question, UsageRemover, api_of, ask_for_usage

__all__ = ["Handler"]

_NOT_FOR_THE_UPSTREAM: Final = frozenset({b"host", RUN_HEADER.encode(), *(name.encode() for name in CONTEXT_HEADERS)})
"""Whose trace a call belongs to, and what an agent tells of itself there, is none of the model's provider's business."""
_FIRST_ERROR: Final = 400
_NOT_SERVED: Final = Refusal(404, "not_found", "tachograph serves /v1/… and /r/RUN/v1/…")
_CANNOT_RECORD: Final = "cannot_record"
_TUNNEL: Final = "CONNECT"
"""Asks a proxy for a way to any host: there is none but to the upstream."""


@dataclass(slots=True, kw_only=True)
class _Incoming:
    """A request, its run and what it asks for."""

    request: AgentRequest
    target: Target
    run: OpenRun
    api: Api | None
    """None if it is none that is read here."""
    question: Question
    upstream: Upstream
    asking: bytes | LargeBody | None = None
    """The body that also asks for usage; None if it goes up as it came."""

    def let_go(self) -> None:
        """The request will not be sent again: many streams are open at a time."""
        self.request.body = self.asking = None
        self.question = Question()


class Handler:
    """Answers the requests of agents."""

    def __init__(self, settings: ProxySettings, runs: OpenRuns, upstreams: Upstreams) -> None:
        """Take what is shared by all requests."""
        self._settings = settings
        self._runs = runs
        self._upstreams = upstreams
        self._asks_for_usage = settings.usage == "inject"
        self.refused_calls = RefusedCalls(runs)

    async def __call__(self, request: AgentRequest) -> None:
        """Answer one request."""
        target = split_target(request.target) if request.method != _TUNNEL else None
        if target is None:
            return send_error(request, _NOT_SERVED.status, _NOT_SERVED.code, _NOT_SERVED.message)
        try:
            run = self._runs.run_of(target, request.headers)
        except RefusedError as error:
            return self._refuse(request, target, error.refusal)
        except StoreError as error:
            return send_error(request, 503, _CANNOT_RECORD, str(error))
        if request.refusal is not None:
            return self._refuse(request, target, request.refusal, run)
        incoming = self._read(request, target, run)
        if incoming is None:
            return None
        upstream = incoming.upstream
        try:
            await self._answer(incoming)
        except UpstreamUnreachableError as error:
            message = f"tachograph: no answer from the upstream {upstream.address.base}: {error}"
            send_error(request, 502, "upstream_unreachable", message)
        return None

    def refusal_of(self, request: AgentRequest) -> Refusal | None:
        """Why a request will not be answered, as far as its head tells; None if it will be."""
        target = split_target(request.target)
        if target is None:
            return _NOT_SERVED
        try:
            self._runs.run_of(target, request.headers)
        except RefusedError as error:
            return error.refusal
        except StoreError as error:
            return Refusal(503, _CANNOT_RECORD, str(error))
        return None

    def large_body_of(self, request: AgentRequest) -> LargeBody:
        """Where the body of a request is put that will be answered, as `refusal_of` says, and is too large to be held."""
        target = split_target(request.target)
        assert target is not None
        return self._runs.run_of(target, request.headers).new_large_body(request.headers, target.query)

    def _refuse(self, request: AgentRequest, target: Target, refusal: Refusal, run: OpenRun | None = None) -> None:
        self.refused_calls.record(request, target, refusal, run)
        send_error(request, refusal.status, refusal.code, refusal.message)

    def _read(self, request: AgentRequest, target: Target, run: OpenRun) -> _Incoming | None:
        """What the request asks, and whom; None if that is nobody, and the agent was told so.

        Nothing but what is returned may hold on to the question: it is let go of when the answer begins.
        """
        api = api_of(request.method, target.path)
        question = read_question(api, request.headers, request.body)
        upstream = self._upstreams.of(target.path, question.model)
        if upstream is None:
            message = f"no upstream is for {target.path} with model {question.model}"
            self._refuse(request, target, Refusal(404, "no_upstream", message), run)
            return None
        return _Incoming(request=request, target=target, run=run, api=api, question=question, upstream=upstream)

    async def _answer(self, incoming: _Incoming) -> None:
        """Ask with the option for usage where it is missing, and if the upstream refuses that, once without it."""
        incoming.asking = self._asking(incoming)
        _, is_answered = await self._exchange(incoming)
        if is_answered:
            return
        incoming.asking = None
        if isinstance(incoming.request.body, LargeBody):
            incoming.question = read_question(incoming.api, incoming.request.headers, incoming.request.body)
        status, _ = await self._exchange(incoming)
        if status is not None and status < _FIRST_ERROR:
            incoming.upstream.refuses_options = True

    def _asking(self, incoming: _Incoming) -> bytes | LargeBody | None:
        """The request with the option for usage; None if it has it, needs none, or is not to be changed."""
        if not self._asks_for_usage or incoming.upstream.refuses_options or not incoming.question.wants_usage_asked_for:
            return None
        request, parsed = incoming.request, incoming.question.parsed
        if request.body is None or "content-encoding" in request.headers:
            return None
        try:
            if not isinstance(request.body, LargeBody):
                return ask_for_usage(request.body, parsed)
            asking = incoming.run.new_large_body(request.headers, incoming.target.query)
            asking.append(ask_for_usage(request.body.content(), parsed))
        except (RecursionError, OSError):
            return None
        return asking

    async def _exchange(self, incoming: _Incoming) -> tuple[int | None, bool]:
        """One exchange: the upstream's status, and whether the agent has an answer."""
        request, run = incoming.request, incoming.run
        run.learn_secrets(request.headers, incoming.target.query)
        observation = Observation(
            run.recording.run_id,
            self._recorded_request(incoming),
            incoming.api,
            incoming.question,
            run.new_response(),
            start_ns=request.start_ns,
            started=request.started,
        )
        observation.stamp("request_read", request.read)
        record = CallRecord(run, observation, sync=self._settings.sync, remote=read_context(request.headers))
        if isinstance(request.body, LargeBody):
            # Read it takes as much memory again, and the upstream may take it slowly.
            record.hash_request()
            incoming.question = replace(incoming.question, parsed=None)
        await record.announce(request.body or b"", incoming.asking, request.headers.get("content-encoding", ""))
        remover = None if incoming.asking is None else UsageRemover()
        exchange = Exchange(request, observation, record, remover, incoming.let_go)
        # No name is given to what holds the request's body: it is let go of when the answer begins.
        is_answered = await exchange.relay(incoming.upstream, self._outgoing(incoming, record.opened))
        return exchange.status, is_answered

    def _recorded_request(self, incoming: _Incoming) -> CallRequest:
        request = incoming.request
        return recorded_request(
            method=request.method,
            path=incoming.target.path,
            query=incoming.target.query,
            server_address=incoming.upstream.address.host,
            server_port=incoming.upstream.address.port,
            api=incoming.api,
            question=incoming.question,
            headers=request.headers,
            head=request.head,
            body=request.body or b"",
            sha256=incoming.run.sha256_of_body,
            sent=incoming.asking,
        )

    def _outgoing(self, incoming: _Incoming, opened: OpenCall | None) -> Outgoing:
        request, asking = incoming.request, incoming.asking
        offers_upgrade = request.behind is not None
        headers = (forwarded_upgrade if offers_upgrade else forwarded)(request.head, _NOT_FOR_THE_UPSTREAM)
        if asking is not None:
            if "content-length" in request.headers:
                headers = replaced(headers, b"Content-Length", b"%d" % len(asking))
            # What is encoded cannot be cut; a stream that is not encoded is what nearly all upstreams send anyway.
            headers = replaced(headers, b"Accept-Encoding", b"identity")
        upstream = incoming.upstream.settings
        for name, value in upstream.headers:
            headers = replaced(headers, name.encode(), value.encode())
        # A run key never goes up.
        if upstream.key is not None:
            headers = with_key(headers, upstream.key, upstream.key_header)
        else:
            headers = without_keys(headers, PREFIX)
        if offers_upgrade:
            headers = without_protocol_keys(headers, PREFIX)
        if self._settings.propagate_context and opened is not None:
            headers = [*headers, (b"traceparent", traceparent(opened.context).encode())]
        query = without_query_keys(incoming.target.query, PREFIX)
        return Outgoing(
            method=request.method,
            target=incoming.target.path.removeprefix("/v1") + ("" if query is None else f"?{query}"),
            headers=headers,
            body=request.body if asking is None else asking,
            chunked=request.body is not None and "content-length" not in request.headers,
            offers_upgrade=offers_upgrade,
        )
