"""The record of one call while it goes on: what is seen of it, and when that is put on disk."""

import logging
import time
from collections.abc import Callable

from opentelemetry.trace import SpanContext

from ..traces import Amendment, GrowingBody, HashedBody, OpenCall, Outcome, RunRecording, UnsearchableError
from ._body_policy import LOST, told_of_amendment, told_of_call, told_of_request
from ._large_body import LargeBody
from ._observation import Observation
from ._runs import OpenRun

__all__ = ["CallRecord"]

_logger = logging.getLogger("tachograph.proxy")


class CallRecord:
    """Announces a call, ends it once, and amends it if more is learnt. No fault of the recording leaves it (law 1)."""

    def __init__(
        self,
        run: OpenRun,
        observation: Observation,
        *,
        sync: bool,
        tunnel: "CallRecord | None" = None,
        remote: SpanContext | None = None,
    ) -> None:
        """Take what the record is made of.

        Args:
            run: the call belongs to it.
            observation: what is seen of the call.
            sync: what is on disk is to be safe against power loss.
            tunnel: of the call through whose tunnel this one is made; None for an exchange of its own.
            remote: the context that the agent sent; None without one.
        """
        self._run = run
        self._observation = observation
        observation.bodies_lost = LOST.get(run.bodies)
        self._sync = sync
        self._tunnel = tunnel
        self._remote = remote
        self._opened: OpenCall | None = None
        self._hashed = False
        self.ended = False
        """The end is on disk."""

    def below(self, observation: Observation) -> "CallRecord":
        """The record of another call, which is made through the tunnel that this one became."""
        return CallRecord(self._run, observation, sync=self._sync, tunnel=self)

    @property
    def recording(self) -> RunRecording:
        """The run that the call belongs to."""
        return self._run.recording

    def new_response(self) -> HashedBody:
        """An empty body for an answer."""
        return self._run.new_response()

    @property
    def observation(self) -> Observation:
        """What is seen of the call."""
        return self._observation

    @property
    def opened(self) -> OpenCall | None:
        """The call's announcement; None before it, or if it failed."""
        return self._opened

    async def sync(self) -> None:
        """Wait until what was recorded is safe against power loss, if it is to be."""
        if self._sync:
            with self:
                await self._run.sync()

    async def announce(
        self, body: bytes | LargeBody, sent: bytes | LargeBody | None, content_encoding: str = ""
    ) -> None:
        """Put the request on disk, safe against power loss if that is asked for."""
        self.begin(body, sent, content_encoding)
        if self._sync:
            with self:
                await self._run.sync()

    def begin(self, body: bytes | LargeBody, sent: bytes | LargeBody | None, content_encoding: str = "") -> None:
        """Put the request on disk: the agent's body, and the one that the upstream gets if it is another."""
        observation = self._observation
        with self:
            self._keep_requests(body, sent, content_encoding)
            recording = self._run.recording
            tunnel = self._tunnel.opened if self._tunnel else None
            self._opened = recording.start_call(
                told_of_request(self._run.bodies, observation.request),
                observation.start_ns,
                observation.bodies_lost,
                tunnel,
                bodies_masked=observation.bodies_masked,
                remote=self._remote,
            )
            observation.sequence = self._opened.sequence

    def hash_request(self) -> None:
        """Work out what can wait until the upstream works: the canonical hash, and which attempt this is."""
        if self._hashed:
            return
        self._hashed = True
        with self:
            observation = self._observation
            request_hash = observation.hash_request(self._run.sha256_of_canonical)
            observation.attempt = self._run.attempts.begin(request_hash, observation.asked)
            observation.let_go()

    def end(self, outcome: Outcome, message: str | None = None, *, discarded: bool = False) -> None:
        """Put the end of the call on disk, if it is not there yet."""
        if self.ended:
            return
        self.ended = True
        self.hash_request()
        observation = self._observation
        with self:
            if observation.has_response:
                self._keep_response()
            call = observation.end(outcome, time.perf_counter_ns(), message, discarded=discarded)
            if self._opened is not None:
                self._run.recording.end_call(self._opened, told_of_call(self._run.bodies, call))
                self._run.attempts.ended(observation.attempt, f"{self._opened.context.span_id:016x}", call)
            if not call.only_carries_calls:
                self._run.tally.add(call.usage)

    async def complete(self) -> None:
        """Put the end of a call on disk that ended well, if it is not there yet."""
        if not self.ended:
            self.end("completed")
            if self._sync:
                with self:
                    await self._run.sync()

    def amend(
        self, *, outcome: Outcome | None = None, error_type: str | None = None, message: str | None = None
    ) -> None:
        """Put on disk what came after the end."""
        observation = self._observation
        with self:
            self._keep_response()
            amendment = Amendment(
                at_ns=time.time_ns(),
                outcome=outcome,
                error_type=error_type,
                message=message,
                response_body_hash=observation.body.sha256,
                response_bytes=observation.body.length,
                delivered_body_hash=observation.delivered_hash,
                delivered_bytes=observation.delivered_bytes,
                bodies_masked=observation.bodies_masked or None,
            )
            if self._opened is not None:
                self._run.recording.amend_call(self._opened, told_of_amendment(self._run.bodies, amendment))

    def _keep_requests(self, body: bytes | LargeBody, sent: bytes | LargeBody | None, content_encoding: str) -> None:
        request = self._observation.request
        self._keep_request(body, request.body_hash, content_encoding)
        if sent is not None:
            self._keep_request(sent, request.sent_body_hash)

    def _keep_request(self, body: bytes | LargeBody, digest: str | None, content_encoding: str = "") -> None:
        if isinstance(body, LargeBody):
            self._keep_grown(body.kept)
        elif digest is not None:
            self._keep(digest, lambda: self._run.recording.bodies.put_request(body, digest, content_encoding))

    def _keep_response(self) -> None:
        self._keep_grown(self._observation.body)

    def _keep_grown(self, body: HashedBody) -> None:
        if isinstance(body, GrowingBody):
            self._keep(body.sha256, lambda: self._run.recording.bodies.put_response(body))

    def keep_message(self, content: bytes) -> tuple[str | None, str | None, str | None]:
        """Keep a message of a tunnel: its hash, that of what is kept if secrets are masked in it, and why it is not kept."""
        body = self._run.new_response()
        body.add(content)
        if not isinstance(body, GrowingBody):
            return None if self._run.bodies == "none" else body.sha256, None, LOST.get(self._run.bodies)
        try:
            return body.sha256, self._run.recording.bodies.put_response(body), None
        except OSError as error:
            return body.sha256, None, error.strerror or str(error)
        except UnsearchableError as error:
            return body.sha256, None, str(error)

    def _keep(self, digest: str, put: Callable[[], str | None]) -> None:
        if self._run.bodies != "full":
            return
        try:
            kept = put()
        except OSError as error:
            self._lose_bodies(error.strerror or str(error))
        except UnsearchableError as error:
            self._lose_bodies(str(error))
        else:
            if kept is not None:
                self._observation.bodies_masked[digest] = kept

    def _lose_bodies(self, reason: str) -> None:
        self._observation.bodies_lost = reason
        _logger.error("run %s: bodies of a call could not be kept: %s", self._run.recording.run_id, reason)

    def __enter__(self) -> None:
        """Begin something that must not break the call."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """Log a fault of the recording, whatever it is: the agent must not notice."""
        if not isinstance(error, Exception):
            return False
        _logger.error("run %s: a call could not be recorded whole", self._run.recording.run_id, exc_info=error)
        return True
