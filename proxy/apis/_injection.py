"""Asking a streaming upstream for its token usage when the agent did not, without the agent's noticing.

OpenAI's contract for `stream_options.include_usage`: one more chunk before the end, with empty `choices` and the usage,
and `"usage": null` in all others. The option is spliced into the request's bytes, which are not written anew; the extra
chunk and the nulls are cut out of the answer's bytes. Events are held until they are complete; nothing else is.
"""

import json
import re
from typing import Any, Final

import orjson

from ._sse import EventSplitter, event_data

__all__ = ["UsageRemover", "ask_for_usage"]

_OPTION: Final = b'"include_usage":true'
_LONGEST_EVENT: Final = 16 * 2**20
"""Bytes that are held of an event that does not end. A longer one passes as it comes."""
_NULL_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*')


def ask_for_usage(body: bytes, request: dict[str, Any]) -> bytes:
    """The request with `stream_options.include_usage` spliced in.

    Args:
        body: the request's bytes, UTF-8 JSON, an object.
        request: the same, parsed; it has no `include_usage`, and its `stream_options`, if any, are an object or null.

    Raises:
        RecursionError: it is nested too deeply for Python's parser.
    """
    if "stream_options" not in request:
        start = body.index(b"{") + 1
        return b'%b"stream_options":{%b},%b' % (body[:start], _OPTION, body[start:])
    start, end = _member_span(body, "stream_options")
    if not request["stream_options"]:
        return b"%b{%b}%b" % (body[:start], _OPTION, body[end:])
    return b"%b{%b,%b" % (body[:start], _OPTION, body[start + 1 :])


def _member_span(body: bytes, wanted: str) -> tuple[int, int]:
    """Where the value of a top-level member stands. Of members with one name the last counts, as in every parser."""
    # Latin-1 maps bytes to characters one to one, so positions in the text are positions in the bytes.
    text = body.decode("latin-1")
    decoder = json.JSONDecoder()
    found = (0, 0)
    position = _skip(text, text.index("{") + 1)
    while text[position] == '"':
        name, position = decoder.raw_decode(text, position)
        start = _skip(text, _skip(text, position) + 1)
        _, end = decoder.raw_decode(text, start)
        if name == wanted:
            found = (start, end)
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def _skip(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


class UsageRemover:
    """Takes what an upstream only said because it was asked out of the events of its answer."""

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self._events = EventSplitter()

    def feed(self, data: bytes) -> bytes:
        """What of these bytes, and of those held, goes to the agent."""
        passed = b"".join(_without_usage(event) for event in self._events.feed(data))
        # What is too long to be held is not what was asked for; its end will be no event by itself, and pass.
        return passed + self._events.flush() if self._events.size > _LONGEST_EVENT else passed

    def flush(self) -> bytes:
        """What is held when the stream ends, untouched: an incomplete event is none."""
        return self._events.flush()


def _without_usage(event: bytes) -> bytes:
    if b'"usage"' not in event:
        return event
    chunk = _parsed(event)
    if chunk is None or "usage" not in chunk:
        return event
    if chunk["usage"] is not None:
        return b"" if chunk.get("choices") == [] else event
    del chunk["usage"]
    for place in _NULL_USAGE.finditer(event):
        shortened = event[: place.start()] + event[place.end() :]
        if _parsed(shortened) == chunk:
            return shortened
    return event


def _parsed(event: bytes) -> dict[str, Any] | None:
    try:
        chunk = orjson.loads(event_data(event) or b"")
    except orjson.JSONDecodeError:
        return None
    return chunk if isinstance(chunk, dict) else None
