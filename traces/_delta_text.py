"""Secrets that a stream tells in many events, a few characters in each.

Who reads the events one after the other has the secret, though it stands nowhere in one piece. What each member that carries
text says in the course of a stream is therefore looked at as one text, whatever the API.
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from ._redaction import Masked, Redactor

__all__ = ["DeltaText", "is_stream", "mask_stream"]

_MEMBERS: Final = (
    b"content",
    b"text",
    b"delta",
    b"arguments",
    b"partial_json",
    b"reasoning_content",
    b"reasoning",
    b"thinking",
    b"refusal",
    b"input",
)
_TEXT: Final = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
"""What stands between the quotes of a string in JSON."""
_EVENTS: Final = (b"data:", b"event:", b":", b"id:", b"retry:")
"""How a stream of events begins (WHATWG HTML, section 9.2)."""
_HELD: Final = 4 * 1024
"""Bytes of text in which a secret may have begun."""
_LONGEST_LINE: Final = 64 * 1024
"""Bytes. What comes in longer lines is not told a few characters at a time."""


class DeltaText:
    """What a stream's events say, as one text for each member."""

    def __init__(self, redactor: Redactor) -> None:
        """Begin with no events."""
        self._redactor = redactor
        self._rest = b""
        self._texts: dict[int, bytes] = {}

    def holds_secret(self, data: bytes) -> bool:
        """Take the next bytes of the stream; whether they hold, or end, a secret."""
        lines, _, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest if len(rest) < _LONGEST_LINE else b""
        holds = False
        for member, text in self._continued(lines):
            holds = holds or bool(self._redactor.find(text))
            self._texts[member] = text[-_HELD:]
        return holds

    def would_hold_secret(self, data: bytes) -> bool:
        """The same of bytes that may come again, as the beginning of more."""
        return any(self._redactor.find(text) for _, text in self._continued(self._rest + data))

    def _continued(self, lines: bytes) -> Iterator[tuple[int, bytes]]:
        for member, said in _said(lines).items():
            yield member, self._texts.get(member, b"") + said


def is_stream(data: bytes) -> bool:
    """Whether a body that begins so consists of events."""
    return data.lstrip().startswith(_EVENTS)


def mask_stream(stream: bytes, redactor: Redactor) -> Masked:
    """A whole stream with its secrets masked, in whatever pieces they stand."""
    counts: Counter[str] = Counter()
    for member in range(len(_MEMBERS)):
        pieces = [(start, end) for number, start, end in _values(stream) if number == member]
        found = redactor.find(b"".join(stream[start:end] for start, end in pieces))
        for one in reversed(found):
            counts[one.kind] += 1
            stream = _masked_once(stream, pieces, one.start, one.end, b"[masked %b]" % one.kind.encode())
    rest = redactor.mask(stream)
    return Masked(data=rest.data, counts=counts + Counter(rest.counts))


def _masked_once(stream: bytes, pieces: list[tuple[int, int]], start: int, end: int, mask: bytes) -> bytes:
    """A stream with the characters from `start` to `end` of what its pieces say gone, and a mask where they began."""
    parts = [stream]
    at = sum(stop - begin for begin, stop in pieces)
    for begin, stop in reversed(pieces):
        at -= stop - begin
        here, there = max(start - at, 0), min(end - at, stop - begin)
        if here < there:
            parts[-1:] = [parts[-1][begin + there :], mask if start >= at else b"", parts[-1][: begin + here]]
    return b"".join(reversed(parts))


def _said(stream: bytes) -> dict[int, bytes]:
    """What each member says, by its number."""
    said: dict[int, list[bytes]] = {}
    for member, start, end in _values(stream):
        said.setdefault(member, []).append(stream[start:end])
    return {member: b"".join(pieces) for member, pieces in said.items()}


def _values(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """The strings that members carry: number of the member, and where its text begins and ends."""
    begun: list[tuple[int, int]] = []
    database, lock = _openings()
    with lock:
        database.scan(stream, match_event_handler=lambda member, _, end, *__: begun.append((member, end)))
    last = 0
    for member, start in begun:
        if start < last:
            continue  # it stands within a text
        match = _TEXT.match(stream, start)
        end = match.end() if match else start
        if stream[end : end + 1] != b'"':
            return  # it was cut off
        yield member, start, end
        last = end


@cache
def _openings() -> tuple[Any, threading.Lock]:
    import hyperscan  # noqa: PLC0415  it takes a while, and most commands look for nothing

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    expressions = [rb'"%b": ?"' % member for member in _MEMBERS]
    database.compile(expressions=expressions, ids=list(range(len(expressions))), elements=len(expressions), flags=0)
    database.scratch = hyperscan.Scratch(database)
    return database, threading.Lock()
