"""The record of one call while it goes on: what is seen of it, and when that is put on disk."""

import logging
import time

from ..traces import Amendment, OpenCall, Outcome, RunRecording
from ._observation import Observation
from ._runs import OpenRun

__all__ = ["CallRecord"]

_logger = logging.getLogger("tachograph.proxy")


class CallRecord:
    """Announces a call, ends it once, and amends it if more is learnt. No fault of the recording leaves it (law 1)."""

    def __init__(
        self, run: OpenRun, observation: Observation, *, sync: bool, tunnel: "CallRecord | None" = None
    ) -> None:
        """Take what the record is made of.

        Args:
            run: the call belongs to it.
            observation: what is seen of the call.
            sync: what is on disk is to be safe against power loss.
            tunnel: of the call through whose tunnel this one is made; None for an exchange of its own.
        """
        self._run = run
        self._observation = observation
        self._sync = sync
        self._tunnel = tunnel
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

    async def announce(self, body: bytes, sent: bytes | None) -> None:
        """Put the request on disk, safe against power loss if that is asked for."""
        self.begin(body, sent)
        if self._sync:
            with self:
                await self._run.sync()

    def begin(self, body: bytes, sent: bytes | None) -> None:
        """Put the request on disk: the agent's body, and the one that the upstream gets if it is another."""
        observation = self._observation
        with self:
            self._keep_bodies(body, sent)
            recording = self._run.recording
            tunnel = self._tunnel.opened if self._tunnel else None
            self._opened = recording.start_call(
                observation.request, observation.start_ns, observation.bodies_lost, tunnel
            )
            observation.sequence = self._opened.sequence

    def hash_request(self) -> None:
        """Work out what can wait until the upstream works: the canonical hash, and which attempt this is."""
        if self._hashed:
            return
        self._hashed = True
        with self:
            observation = self._observation
            observation.attempt = self._run.attempts.begin(observation.hash_request(), observation.asked)
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
                self._run.recording.end_call(self._opened, call)
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
            )
            if self._opened is not None:
                self._run.recording.amend_call(self._opened, amendment)

    def _keep_bodies(self, body: bytes, sent: bytes | None) -> None:
        try:
            request, bodies = self._observation.request, self._run.recording.bodies
            if request.body_hash is not None:
                bodies.put_request(body, request.body_hash)
            if sent is not None and request.sent_body_hash is not None:
                bodies.put_request(sent, request.sent_body_hash)
        except OSError as error:
            self._lose_bodies(error)

    def _keep_response(self) -> None:
        try:
            self._run.recording.bodies.put_response(self._observation.body)
        except OSError as error:
            self._lose_bodies(error)

    def _lose_bodies(self, error: OSError) -> None:
        self._observation.bodies_lost = error.strerror
        _logger.error("run %s: bodies of a call could not be kept: %s", self._run.recording.run_id, error.strerror)

    def __enter__(self) -> None:
        """Begin something that must not break the call."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """Log a fault of the recording, whatever it is: the agent must not notice."""
        if not isinstance(error, Exception):
            return False
        _logger.error("run %s: a call could not be recorded whole", self._run.recording.run_id, exc_info=error)
        return True
