"""The record of a tunnel while it goes on: its messages, the calls that they make, and how it ended."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..traces import DecodingError, Outcome, Sender, Tunnel, TunnelMessage
from ._call_record import CallRecord
from ._tunnel_calls import TunnelCalls
from ._websocket import LONGEST_MESSAGE, MessageReader, WebSocketMessage, close_of, message_readers
from .apis import api_of, message_api_of

__all__ = ["TunnelRecord"]

_logger = logging.getLogger("tachograph.proxy")

_LEFT_BY: Final[Mapping[Sender, Outcome]] = {"agent": "client_disconnected", "upstream": "upstream_cut"}
"""How what was open ended, by who went."""


@dataclass(slots=True)
class _Direction:
    """What one side has sent."""

    reader: MessageReader | None
    bytes: int = 0
    messages: int = 0
    has_closed: bool = False
    """It has sent a close frame."""


class TunnelRecord:
    """Reads what passes from a copy. No fault of the reading or the recording leaves it (law 1)."""

    def __init__(self, record: CallRecord, extensions: str) -> None:
        """Take the record of the exchange that became the tunnel, and the extensions that the upstream accepted."""
        self._record = record
        self._unread: str | None = None
        readers: tuple[MessageReader | None, MessageReader | None] = (None, None)
        try:
            readers = message_readers(extensions)
        except DecodingError as error:
            self._unread = str(error)
        self._sent: Mapping[Sender, _Direction] = {
            "agent": _Direction(readers[0]),
            "upstream": _Direction(readers[1]),
        }
        # A message is to its path what a POST would be.
        api = message_api_of(api_of("POST", record.observation.request.path))
        self._calls = TunnelCalls(record, api) if api else None
        self._left_by: Sender | None = None
        self._outcome: Outcome = "interrupted"
        self._closed_by: Sender | None = None
        self._close: tuple[int | None, str | None] = (None, None)

    async def take(self, sender: Sender, data: bytes) -> None:
        """Take bytes before they pass: the messages that they complete are on disk when this returns."""
        direction = self._sent[sender]
        direction.bytes += len(data)
        if direction.reader is None:
            return
        before = direction.messages
        try:
            for message in direction.reader.feed(data):
                direction.messages += 1
                await self._take_message(sender, message)
        except DecodingError as error:
            self._stop_reading(sender, str(error))
        except Exception as error:
            _logger.exception("run %s: a WebSocket could not be recorded whole", self._record.recording.run_id)
            self._stop_reading(sender, f"a fault of the recorder: {error!r}")
        if direction.messages > before:
            await self._record.sync()

    async def _take_message(self, sender: Sender, message: WebSocketMessage) -> None:
        content = message.content
        # Calls of the agent's first: they keep what is new in a body.
        if message.kind == "text" and content is not None and sender == "agent":
            await self._begin_call(content)
        self._keep(sender, message)
        if message.kind == "close":
            self._take_close(sender, content)
        elif content is None:
            self._unread = self._unread or f"a message longer than {LONGEST_MESSAGE} bytes"
        elif message.kind == "text" and sender == "upstream" and self._calls is not None:
            await self._calls.take(content)
            if self._calls.has_unasked:
                self._unread = self._unread or "an answer to a message that was not understood as a question"

    async def _begin_call(self, content: bytes) -> None:
        if self._calls is None or self._sent["upstream"].reader is None:
            return
        question = self._calls.question_in(content)
        if question is not None:
            await self._calls.begin(content, question)

    def _keep(self, sender: Sender, message: WebSocketMessage) -> None:
        digest, kept_hash, lost = None, None, None
        recording, opened = self._record.recording, self._record.opened
        if message.content is None:
            lost = f"longer than {LONGEST_MESSAGE} bytes"
        else:
            digest, kept_hash, lost = self._record.keep_message(message.content)
        if opened is not None:
            kept = TunnelMessage(
                at_ns=time.time_ns(),
                sender=sender,
                kind=message.kind,
                bytes=message.length,
                body_hash=digest,
                kept_hash=kept_hash,
                lost=lost,
            )
            recording.record_message(opened, kept)

    def _take_close(self, sender: Sender, content: bytes | None) -> None:
        self._sent[sender].has_closed = True
        if self._closed_by is None:
            self._closed_by, self._close = sender, close_of(content)
        left_by = self._leave(sender, "completed")
        if sender == "upstream" and self._calls is not None:
            self._calls.end(_LEFT_BY[left_by], f"the {left_by} closed the WebSocket before the end of the answer")
        if all(direction.has_closed for direction in self._sent.values()):
            self._end()

    def _leave(self, sender: Sender, outcome: Outcome) -> Sender:
        """Take note of who ends the tunnel, the first who does: what comes after that does not change how it ended."""
        if self._left_by is None:
            self._left_by, self._outcome = sender, outcome
        return self._left_by

    def passed(self, sender: Sender) -> None:
        """Take note that bytes have been handed to the other side's connection."""
        if sender == "upstream" and self._calls is not None:
            self._calls.passed()

    async def end_of(self, sender: Sender, *, broken: bool) -> None:
        """Take note that a side sends no more, before the other one can see it.

        Args:
            sender: the side.
            broken: its connection broke; else it ended it.
        """
        # Where frames are not read nobody can say whether one was missing.
        is_cut = broken or self._sent[sender].reader is not None
        self._leave(sender, _LEFT_BY[sender] if is_cut else "completed")
        if sender == "upstream" or broken:
            self._end()
            await self._record.sync()

    def interrupt(self) -> None:
        """Put the end on disk of a tunnel that is ended by the proxy, if it is not there yet."""
        self._end()

    def _end(self) -> None:
        calls = self._calls
        if calls is not None:
            calls.end(_LEFT_BY[self._left_by] if self._left_by else "interrupted")
        if self._record.ended:
            return
        agent, upstream = self._sent["agent"], self._sent["upstream"]
        self._record.observation.tunnel = Tunnel(
            agent_bytes=agent.bytes,
            agent_messages=agent.messages,
            upstream_bytes=upstream.bytes,
            upstream_messages=upstream.messages,
            calls=calls.count if calls else None,
            closed_by=self._closed_by,
            close_code=self._close[0],
            close_reason=self._close[1],
            unread=self._unread,
        )
        self._record.end(self._outcome)

    def _stop_reading(self, sender: Sender, why: str) -> None:
        self._sent[sender].reader = None
        self._unread = self._unread or why
        if sender == "upstream" and self._calls is not None:
            self._calls.end("interrupted", f"the end of the answer could not be read: {why}")
