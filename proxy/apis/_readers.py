"""The two ways in which an answer comes, as events or as one object, the same for all APIs."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from ...traces import DecodingError
from ._answer import Answer
from ._members import parsed_object
from ._sse import EventSplitter

__all__ = ["Collector", "StreamReader", "WholeReader"]

_LONGEST_BEGUN: Final = 64
"""Bytes of an event that is looked at although its last line has not ended, such as `data: [DONE]`."""


_LONGEST_READ: Final = 64 * 2**20
"""Bytes of one event, or of an answer that is one object. A longer one is not read: it would be held several times over."""


class Collector(Protocol):
    """Gathers what an answer says, by the rules of one API. None of its methods raises for what it does not know."""

    has_content: bool
    """As of `AnswerReader`."""
    ended: bool
    """As of `AnswerReader`. What comes behind the end is not read."""

    def take_event(self, event: bytes) -> None:
        """Take a whole event."""

    def take_begun(self, event: bytes) -> None:
        """Look at an event whose end has not come, if it is the terminal one: it will not be taken again."""

    def take_whole(self, said: dict[str, Any]) -> None:
        """Take an answer that is one object."""

    def answer(self) -> Answer:
        """What was said so far."""


class StreamReader:
    """Reads an answer of events."""

    def __init__(self, new_collector: Callable[[], Collector]) -> None:
        """Begin with an empty stream."""
        self._events = EventSplitter()
        self._collector = new_collector()

    @property
    def ended(self) -> bool:
        """The terminal event has been seen."""
        return self._collector.ended

    @property
    def has_content(self) -> bool:
        """Content has come."""
        return self._collector.has_content

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises DecodingError: an event is too long to be read."""
        collector = self._collector
        if collector.ended:
            return
        for event in self._events.feed(data):
            collector.take_event(event)
            if collector.ended:
                return
        if self._events.size > _LONGEST_READ:
            raise DecodingError(f"an event of more than {_LONGEST_READ} bytes is not read")
        # An agent may act on the line before the blank one that ends the event.
        if begun := self._events.begun(_LONGEST_BEGUN):
            collector.take_begun(begun)

    def finish(self) -> Answer:
        """What the stream said."""
        if not self._collector.ended:
            self._collector.take_event(self._events.flush())
        return self._collector.answer()


class WholeReader:
    """Reads an answer of one JSON object. Nothing can be told before the last byte, so nothing is read before."""

    ended = False
    has_content = False

    def __init__(self, new_collector: Callable[[], Collector]) -> None:
        """Begin with an empty body."""
        self._body = bytearray()
        self._collector = new_collector()

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises DecodingError: they are too many to be read."""
        self._body += data
        if len(self._body) > _LONGEST_READ:
            raise DecodingError(f"an answer of more than {_LONGEST_READ} bytes is not read")

    def finish(self) -> Answer:
        """What the object said; nothing if it is none."""
        if (said := parsed_object(bytes(self._body))) is not None:
            self._collector.take_whole(said)
        return self._collector.answer()
