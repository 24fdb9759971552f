"""The calls that are made by messages through a tunnel: each announced, read and ended as one over HTTP is."""

import asyncio
import hashlib
import time
from collections import deque
from dataclasses import replace
from typing import Final

from ..traces import Outcome
from ._call_record import CallRecord
from ._observation import Observation
from .apis import Api, Question, begins_answer, message_as_event, question_in

__all__ = ["TunnelCalls"]

_EVENTS: Final = {"content-type": "text/event-stream"}
_SWITCHED: Final = 101


class TunnelCalls:
    """Follows the calls of one tunnel."""

    def __init__(self, tunnel: CallRecord, api: Api) -> None:
        """Take the record of the exchange that became the tunnel, and the API whose messages pass."""
        self._tunnel = tunnel
        self._api = api
        self._open: deque[tuple[Observation, CallRecord]] = deque()
        self.count = 0
        """Calls that were begun."""
        self.has_unasked = False
        """An answer came that no message had asked for, as far as messages are understood here."""

    def question_in(self, content: bytes) -> Question | None:
        """What a message of the agent asks; None if it asks for no answer."""
        return question_in(self._api, content)

    async def begin(self, content: bytes, question: Question) -> None:
        """Begin the call that a message of the agent makes: it is announced on disk before the message passes."""
        now, tunnel = time.perf_counter_ns(), self._tunnel
        request = replace(
            tunnel.observation.request,
            api=self._api.name,
            provider=self._api.provider,
            tunnel_id=tunnel.opened.span_id if tunnel.opened else None,
            model=question.model,
            streamed=True,
            session_id=tunnel.observation.request.session_id or question.conversation_id,
            previous_response_id=question.previous_response_id,
            body_hash=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            head="",
        )
        recording = tunnel.recording
        observation = Observation(
            recording.run_id,
            request,
            self._api,
            question,
            tunnel.new_response(),
            start_ns=time.time_ns(),
            started=now,
        )
        observation.stamp("request_read", now)
        record = tunnel.below(observation)
        self._open.append((observation, record))
        self.count += 1
        await record.announce(content, None)
        observation.stamp("upstream_sent", time.perf_counter_ns())
        asyncio.get_running_loop().call_soon(record.hash_request)

    async def take(self, content: bytes) -> None:
        """Take a message of the upstream. The end of an answer is on disk before it passes."""
        if not self._open:
            self.has_unasked = self.has_unasked or begins_answer(content)
            return
        observation, record = self._open[0]
        now = time.perf_counter_ns()
        if not observation.has_response:
            observation.begin_response(_SWITCHED, (), _EVENTS, now)
        event = message_as_event(content)
        observation.take(event, now)
        observation.deliver(event)
        if observation.ended:
            self._open.popleft()
            await record.complete()

    def passed(self) -> None:
        """Take note that messages of the upstream have been handed to the connection with the agent."""
        if self._open and self._open[0][0].has_response:
            self._open[0][0].passed(time.perf_counter_ns())

    def end(self, outcome: Outcome, message: str | None = None) -> None:
        """End all calls that are open."""
        while self._open:
            _, record = self._open.popleft()
            record.end(outcome, message)
