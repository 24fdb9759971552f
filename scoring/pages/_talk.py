"""What was said in the calls of a run, and their bodies: each is read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ...traces import BodyReader, Call
from ..transcript import Message, RequestRead, UnreadableError, read_response_body
from ._body_table import BodyTable, Placed
from ._conversations import Asked, Conversations
from ._message_table import MessageTable

__all__ = ["UNREAD", "Said", "Talk"]

_SHOWN_ELSEWHERE: Final = frozenset(
    {"messages", "input", "instructions", "system", "prompt", "tools", "functions", "model", "stream"}
)
"""Members of a request that are no parameters: what was said, the tools, and what a call's line tells."""
_LONGEST_PARAMETER: Final = 1_000
"""Characters."""
_SYSTEM: Final = "system"
_EMPTY: Final = "it is empty"
_NOTHING: Final = Placed(place=None, note=None, shown="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the request of one call tells."""

    asked: Asked | None
    parameters: Mapping[str, str]
    """Members of the request beside its messages, as it wrote them."""
    unreadable: str | None
    """Why `asked` is None; None if it is not."""
    body: Placed


UNREAD: Final = Said(
    asked=None,
    parameters={},
    unreadable="request: its body is not here",
    body=Placed(place=None, note="its body is not here", shown=""),
)
"""Of a run of which only the spans are here."""


class Talk:
    """Takes the requests of a run as they are read, in the order of time, then its responses.

    Held is what is new in them, and the latest requests of the conversations that go on.
    """

    def __init__(self, bodies: BodyReader) -> None:
        """Begin with nothing said in a run of these bodies."""
        self.messages = MessageTable()
        self.bodies = BodyTable()
        self.said: dict[str, Said] = {}
        """By the span ids of the calls."""
        self.responses: dict[str, Placed] = {}
        self._reader = bodies
        self._conversations = Conversations(self._places_of, self._is_spoken)
        self._spoken: list[bool] = []
        self._latest: dict[str, Placed] = {}
        """Requests that others may be like, by the span ids of their calls."""
        self._known: dict[str, Placed] = {}
        """Bodies that stand on the page, by hash; without what is shown of them."""

    def take_request(self, read: RequestRead) -> None:
        """Take the next request."""
        asked, unreadable = None, read.unreadable
        if read.entries is not None:
            try:
                asked = self._conversations.ask(read.call.span_id, read.entries, read.messages_of)
            except RecursionError:
                unreadable = "it is nested too deeply"
        placed = self._placed_request(read, asked, unreadable)
        members = read.members or {}
        self.said[read.call.span_id] = Said(
            asked=asked,
            parameters={name: _parameter_text(members[name]) for name in members if name not in _SHOWN_ELSEWHERE},
            unreadable=None if unreadable is None else f"request: {unreadable}",
            body=placed._replace(shown=""),
        )

    def take_responses(self, calls: Iterable[Call], bodies: BodyReader) -> None:
        """Take the responses of all calls, after their requests: of a row of the same kind each is quickly read.

        Args:
            calls: of the run.
            bodies: as they are now: of a run that goes on there are more by the minute.
        """
        self._reader = bodies
        for call in calls:
            told = call.response
            try:
                body = read_response_body(call, self._reader)
            except UnreadableError as error:
                self.responses[call.span_id] = Placed(None, _no_body(told.bytes if told else None, str(error)), "")
            else:
                placed = self._place(told.body_hash if told else None, body, _NOTHING)
                self.responses[call.span_id] = placed._replace(shown="")

    def _placed_request(self, read: RequestRead, asked: Asked | None, unreadable: str | None) -> Placed:
        request = read.call.request
        if read.body is None:
            return Placed(None, _no_body(request.bytes, unreadable), "")
        since = asked.since if asked else None
        like = self._latest.get(since or "") or next(reversed(self._latest.values()), _NOTHING)
        placed = self._place(request.body_hash, read.body, like)
        if placed.place is not None:
            if asked is not None and asked.dropped == 0:
                self._latest.pop(since or "", None)  # nobody goes on from that but by way of this one
            self._latest[read.call.span_id] = placed
            if len(self._latest) > Conversations.HELD:
                del self._latest[next(iter(self._latest))]
        return placed

    def _place(self, digest: str | None, body: bytes, like: Placed) -> Placed:
        if not body:
            return Placed(None, _EMPTY, "")
        text, odd = _text(body)
        if digest in self._known:
            return self.bodies.again(self._known[digest], text)
        placed = self.bodies.add(text, like)
        masked = self._reader.masked(digest) if digest else None
        hidden = [f"{kind} ({count})" for kind, count in sorted(masked.counts.items())] if masked else []
        notes = [odd, f"masked in it: {', '.join(hidden)}" if hidden else None, placed.note]
        placed = placed._replace(note="; ".join(filter(None, notes)) or None)
        if digest and placed.place is not None:
            self._known[digest] = placed._replace(shown="")
        return placed

    def _places_of(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        places = self.messages.places_of(messages)
        for place, message in zip(places, messages, strict=True):
            if place == len(self._spoken):
                self._spoken.append(message.role != _SYSTEM)
        return places

    def _is_spoken(self, place: int) -> bool:
        return self._spoken[place]


def _text(body: bytes) -> tuple[str, str | None]:
    """A body as text, and what is odd about that."""
    try:
        return body.decode(), None
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace"), "what is no UTF-8 in it reads \ufffd"


def _no_body(size: int | None, why: str | None) -> str:
    return _EMPTY if size == 0 else why or "it was not recorded"


def _parameter_text(value: Any) -> str:
    """A parameter as the request wrote it, but for spaces; cut if it is long."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    more = len(text) - _LONGEST_PARAMETER
    return text if more <= 0 else f"{text[:_LONGEST_PARAMETER]}… and {more:,} more characters"
