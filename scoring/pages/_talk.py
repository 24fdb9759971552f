"""What was said in the calls of a run, and their bodies: each request is read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ...traces import BodyReader, Call
from ..transcript import Message, RequestRead, Turn, UnreadableError, read_requests, read_response_body
from ._body_table import BodyTable, Placed
from ._conversations import Asked, Conversations
from ._message_table import MessageTable

__all__ = ["Said", "Talk", "read_talk"]

_SHOWN_ELSEWHERE: Final = frozenset(
    {"messages", "input", "instructions", "system", "prompt", "tools", "functions", "model", "stream"}
)
"""Members of a request that are no parameters: what was said, the tools, and what a call's line tells."""
_LONGEST_PARAMETER: Final = 1_000
"""Characters."""
_SYSTEM: Final = "system"


@dataclass(slots=True, kw_only=True)
class Said:
    """What the bodies of one call tell."""

    asked: Asked | None
    parameters: Mapping[str, Any]
    """Members of the request beside its messages, as it wrote them."""
    unreadable: str | None
    """Why `asked` is None; None if it is not."""
    request: Placed
    response: Placed = field(default=Placed(None, None, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What the bodies of a run tell."""

    calls: Mapping[str, Said]
    """By the span id of each call."""
    messages: MessageTable
    bodies: BodyTable


def read_talk(turns: Sequence[Turn], bodies: BodyReader) -> Talk:
    """Read all bodies of a run: the requests in the order of time, then the responses.

    Args:
        turns: of the run's calls, in their order.
        bodies: those of the run.
    """
    places = {turn.call.span_id: place for place, turn in enumerate(turns)}
    reading = _Reading(bodies)
    said = {
        read.call.span_id: reading.request(places[read.call.span_id], read) for read in read_requests(turns, bodies)
    }
    # After the requests: a body is kept as what is new in it, so that those of a kind are best read in a row.
    for turn in turns:
        said[turn.call.span_id].response = reading.response(turn.call)
    return Talk(calls=said, messages=reading.messages, bodies=reading.table)


class _Reading:
    """Reads bodies one after the other; held are the latest requests of the conversations that go on."""

    def __init__(self, bodies: BodyReader) -> None:
        self.messages = MessageTable()
        self.table = BodyTable()
        self._bodies = bodies
        self._conversations = Conversations(self._places_of, self._is_spoken)
        self._spoken: list[bool] = []
        self._latest: dict[int, Placed] = {}
        """What stands on the page of the latest requests, by the places of their calls."""
        self._known: dict[str, Placed] = {}
        """Of bodies that were sent before, by hash; without their text."""

    def request(self, place: int, read: RequestRead) -> Said:
        """Take the request of the call at a place."""
        asked, unreadable = None, read.unreadable
        if read.entries is not None:
            try:
                asked = self._conversations.ask(place, read.entries, read.messages_of)
            except RecursionError:
                unreadable = "it is nested too deeply"
        members = read.members or {}
        digest = read.call.request.body_hash
        if read.body is None:
            body = Placed(None, _no_body(read.call.request.bytes, unreadable), "")
        else:
            body = self._place(digest, read.body, self._base(asked))
        self._remember(place, asked, body)
        return Said(
            asked=asked,
            parameters={name: value for name, value in members.items() if name not in _SHOWN_ELSEWHERE},
            unreadable=unreadable and f"request: {unreadable}",
            request=body,
        )

    def response(self, call: Call) -> Placed:
        """Take the response of a call."""
        told = call.response
        try:
            body = read_response_body(call, self._bodies)
        except UnreadableError as error:
            return Placed(None, _no_body(told.bytes if told else None, str(error)), "")
        return self._place(told.body_hash if told else None, body, Placed(None, None, ""))._replace(shown="")

    def _place(self, digest: str | None, body: bytes, base: Placed) -> Placed:
        known = self._known.get(digest or "")
        if known is not None and known.place is not None:
            return known._replace(shown=_text(body)[0])
        text, odd = _text(body)
        placed = self.table.add(text, base.place, base.shown)
        masked = self._bodies.masked(digest) if digest else None
        hidden = masked and ", ".join(f"{kind} ({count})" for kind, count in sorted(masked.counts.items()))
        notes = [odd, f"masked in it: {hidden}" if hidden else None, placed.note]
        placed = placed._replace(note="; ".join(filter(None, notes)) or None)
        if digest:
            self._known[digest] = placed._replace(shown="")
        return placed

    def _base(self, asked: Asked | None) -> Placed:
        """The request that this one is likely to be like: the one that it goes on from, else the latest."""
        if asked is not None and asked.since in self._latest:
            return self._latest[asked.since]
        return next(reversed(self._latest.values()), Placed(None, None, ""))

    def _remember(self, place: int, asked: Asked | None, body: Placed) -> None:
        if body.place is None:
            return
        if asked is not None and asked.since is not None and asked.dropped == 0:
            self._latest.pop(asked.since, None)
        self._latest[place] = body
        if len(self._latest) > Conversations.HELD:
            del self._latest[next(iter(self._latest))]

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
        return body.decode("utf-8", "replace"), "not UTF-8: what is none reads \ufffd"


def _no_body(size: int | None, why: str | None) -> str:
    return "it is empty" if size == 0 else why or "it was not recorded"


def parameter_text(value: Any) -> str:
    """A parameter as the request wrote it, but for spaces; cut if it is long."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    more = len(text) - _LONGEST_PARAMETER
    return text if more <= 0 else f"{text[:_LONGEST_PARAMETER]}… and {more:,} more characters"
