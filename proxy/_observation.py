"""What is seen of one exchange, sans I/O: bytes and clock readings in, a `Call` out."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from ..traces import (
    BodyDecoder,
    Call,
    CallRequest,
    CallResponse,
    DecodingError,
    HashedBody,
    Outcome,
    Timing,
    Tunnel,
    Usage,
    canonical_request_hash,
)
from ._attempts import Attempt  # noqa: TC001  annotations of this class are looked at at run time
from ._headers import Head, recorded_head
from .apis import Answer, AnswerReader, Api, Question

__all__ = ["Observation", "session_of"]

_SESSION_HEADERS: Final = ("x-claude-code-session-id", "session-id", "x-session-id", "x-affinity")
"""In which agents send an id of their own session: claude-code, codex, opencode, mistral-vibe."""
_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")
_BROKEN: Final[Mapping[Outcome, tuple[str, str]]] = {
    "client_disconnected": ("client_disconnected", "the agent hung up before the end of the answer"),
    "upstream_cut": ("stream_truncated", "the upstream's answer ended before its end"),
    "upstream_unreachable": ("connection_error", "the upstream could not be reached"),
    "interrupted": ("interrupted", "the proxy was stopped before the end of the answer"),
}
"""`error.type` and message by outcome."""
_OK: Final = 200
_FIRST_ERROR_STATUS: Final = 400


class Observation:
    """Follows one exchange."""

    def __init__(
        self,
        run_id: str,
        request: CallRequest,
        api: Api | None,
        question: Question,
        body: HashedBody,
        *,
        start_ns: int,
        started: int,
    ) -> None:
        """Take the request.

        Args:
            run_id: the run that the call belongs to.
            request: what is recorded of it.
            api: that it is made to; None if it is none that is read here.
            question: what it asks for.
            body: empty, to be filled with the response.
            start_ns: Unix time at which its head was in, nanoseconds.
            started: the monotonic clock at that moment; all other moments are by the same clock.
        """
        self.request = request
        self.start_ns = start_ns
        self._run_id = run_id
        self._api = api
        self._streamed = question.streamed
        self._started = started
        self._stamps: dict[str, int] = {}
        self._status: int | None = None
        self._response_head: Head = ()
        self._request_id: str | None = None
        self._decoder: BodyDecoder | None = None
        self._reader: AnswerReader | None = None
        self._unreadable: str | None = None
        self._delivered = hashlib.sha256() if request.sent_body_hash else None
        self._delivered_bytes = 0
        self._chunks = 0
        self._largest_gap: int | None = None
        self._last_chunk = 0
        self._request_hash: str | None = None
        self.asked = question.parsed
        """The request's JSON, until it is let go of; None if it is none."""
        self.body = body
        """The response's body so far, as received."""
        self.in_events = False
        """The response is a stream of events."""
        self.is_encoded = False
        """The response has a content encoding."""
        self.attempt: Attempt | None = None
        self.sequence: int | None = None
        self.bodies_lost: str | None = None
        self.bodies_masked: dict[str, str] = {}
        self.tunnel: Tunnel | None = None
        """What the exchange became, if it was upgraded; known when that has ended."""

    def stamp(self, moment: str, now: int) -> None:
        """Note a moment, by the monotonic clock, for a member of `Timing`."""
        self._stamps[moment] = now - self._started

    def hash_request(self, sha256: Callable[[bytes], str]) -> str | None:
        """The canonical request hash, by what hashes bytes. Costs time that is best spent while the upstream works."""
        if self.asked is not None:
            self._request_hash = canonical_request_hash(self.asked, sha256)
        return self._request_hash

    def let_go(self) -> None:
        """The request's JSON is not needed any more: many streams are open at a time."""
        self.asked = None

    def begin_response(self, status: int, head: Head, headers: Mapping[str, str], now: int) -> None:
        """Take the head of the upstream's response, as it came and to look things up in (lower-case names)."""
        self.stamp("headers", now)
        self._status, self._response_head = status, head
        self._request_id = _first(headers, _REQUEST_ID_HEADERS)
        self.in_events = _is_stream(status, headers.get("content-type", "").lower(), asked=self._streamed)
        encoding = headers.get("content-encoding")
        self.is_encoded = encoding is not None
        if encoding is not None:
            self.body.decode(encoding)
        if self._api is None:
            return
        self._reader = self._api.stream_reader() if self.in_events else self._api.whole_reader()
        if encoding is None:
            return
        try:
            decoder = BodyDecoder(encoding)
        except DecodingError as error:
            self._stop_reading(str(error))
        else:
            self._decoder = None if decoder.is_identity else decoder

    def take(self, chunk: bytes, now: int) -> None:
        """Take bytes of the response's body, as received."""
        if self._chunks:
            self._largest_gap = max(self._largest_gap or 0, now - self._last_chunk)
        else:
            self.stamp("first_byte_in", now)
        self._last_chunk = now
        self._chunks += 1
        self.body.add(chunk)
        if self._reader is not None:
            self._read(chunk, now)

    def _read(self, chunk: bytes, now: int) -> None:
        reader = self._reader
        assert reader is not None
        try:
            reader.feed(self._decoder.feed(chunk) if self._decoder else chunk)
        except DecodingError as error:
            self._stop_reading(str(error))
        except Exception as error:  # noqa: BLE001  a fault of the reading must not break the call (law 1)
            self._stop_reading(f"a fault of the reader: {error!r}")
        else:
            if reader.has_content and "first_content" not in self._stamps:
                self.stamp("first_content", now)

    def _stop_reading(self, why: str) -> None:
        self._reader = None
        self._unreadable = why

    @property
    def ended(self) -> bool:
        """The terminal event has been taken: the agent will look no further."""
        return self._reader is not None and self._reader.ended

    def deliver(self, chunk: bytes) -> None:
        """Take note of bytes that go to the agent."""
        self._delivered_bytes += len(chunk)
        if self._delivered is not None:
            self._delivered.update(chunk)

    def passed(self, now: int) -> None:
        """Take note that bytes have been handed to the connection with the agent."""
        if "first_byte_out" not in self._stamps:
            self.stamp("first_byte_out", now)

    @property
    def delivered_bytes(self) -> int:
        """How many bytes went to the agent."""
        return self._delivered_bytes

    @property
    def delivered_hash(self) -> str | None:
        """Hex sha256 of what went to the agent so far, if it is not what was received; else None."""
        if self._delivered is None:
            return None
        delivered = self._delivered.hexdigest()
        return delivered if delivered != self.body.sha256 else None

    @property
    def has_response(self) -> bool:
        """Whether the head of a response has come."""
        return self._status is not None

    def end(self, outcome: Outcome, now: int, message: str | None = None, *, discarded: bool = False) -> Call:
        """The call as it ended.

        Args:
            outcome: how.
            now: the monotonic clock.
            message: what broke, if more is known than the outcome says.
            discarded: the agent does not get to see this answer.
        """
        answer = self._finish_reading()
        whole = outcome == "completed"
        if whole and self._streamed and self.in_events and self._status == _OK and not self._has_end(answer):
            outcome, message = "upstream_cut", "the stream ended without its terminal event"
        error_type, said = _BROKEN.get(outcome, (answer.error_type, answer.message))
        if error_type is None and (self._status or 0) >= _FIRST_ERROR_STATUS:
            error_type = str(self._status)
        if self._chunks:
            self.stamp("last_byte", self._last_chunk)
            if outcome == "completed":
                # An answer of one chunk is on disk before it goes out: as late as can be told, that is now.
                self.passed(now)
        self.stamp("end", now)
        return self._call(outcome, answer, error_type, message or said, discarded=discarded)

    def _has_end(self, answer: Answer) -> bool:
        unread = self._reader is None
        return unread or self.ended or bool(answer.finish_reasons) or answer.error_type is not None

    def _finish_reading(self) -> Answer:
        if self._reader is None:
            return Answer()
        try:
            return self._reader.finish()
        except Exception as error:  # noqa: BLE001  a fault of the reading must not break the call (law 1)
            self._stop_reading(f"a fault of the reader: {error!r}")
            return Answer()

    def _call(
        self, outcome: Outcome, answer: Answer, error_type: str | None, message: str | None, *, discarded: bool
    ) -> Call:
        return Call(
            run_id=self._run_id,
            span_id="",
            sequence=self.sequence,
            attempt=self.attempt.number if self.attempt else None,
            retry_of=self.attempt.retry_of if self.attempt else None,
            outcome=outcome,
            error_type=error_type,
            message=message,
            discarded=discarded,
            request=self.request,
            request_hash=self._request_hash,
            response=None if self._status is None else self._response(answer, broken=outcome in _BROKEN),
            usage=self._usage(answer),
            timing=Timing(
                start_ns=self.start_ns, largest_gap=self._largest_gap, chunks=self._chunks or None, **self._stamps
            ),
            bodies_lost=self.bodies_lost,
            bodies_masked=self.bodies_masked or None,
            tunnel=self.tunnel,
        )

    def _response(self, answer: Answer, *, broken: bool) -> CallResponse:
        cut_short = broken and self._streamed
        return CallResponse(
            status=self._status,
            model=answer.model,
            id=answer.response_id,
            upstream_request_id=self._request_id,
            refused=answer.refused,
            service_tier=answer.service_tier,
            system_fingerprint=answer.system_fingerprint,
            finish_reasons=(*answer.finish_reasons, "error") if cut_short else answer.finish_reasons,
            tool_calls=answer.tool_calls,
            body_hash=self.body.sha256,
            bytes=self.body.length,
            delivered_body_hash=self.delivered_hash,
            delivered_bytes=self._delivered_bytes,
            head=recorded_head(self._response_head),
        )

    def _usage(self, answer: Answer) -> Usage:
        tokens = answer.tokens
        if tokens is None:
            return Usage(source="absent", reason=self._why_no_usage())
        return Usage(
            source="injected" if self.request.sent_body_hash else "provider",
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            cache_read_tokens=tokens.cache_read_tokens,
            cache_creation_tokens=tokens.cache_creation_tokens,
            reasoning_tokens=tokens.reasoning_tokens,
        )

    def _why_no_usage(self) -> str:
        if self.tunnel is not None and self.tunnel.calls is not None:
            return "the calls made through it tell theirs"
        if self._api is None:
            return "an API that is not read"
        if not self._api.uses_tokens:
            return "an API that makes no model work"
        if self._unreadable:
            return self._unreadable
        if self._status is None:
            return "no response"
        return "the upstream told none"


def _is_stream(status: int, content_type: str, *, asked: bool) -> bool:
    """Whether a response is one of events. Who asked for a stream takes any answer but an error or JSON for one."""
    return content_type.startswith("text/event-stream") or (asked and status == _OK and "json" not in content_type)


def session_of(headers: Mapping[str, str]) -> str | None:
    """The id of its own session that an agent sends; None if it sends none."""
    return _first(headers, _SESSION_HEADERS)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in headers:
            return headers[name]
    return None
