"""Getting at what a recorded body says: out of the pack, out of its content coding, out of its events."""

import json
import re
from contextlib import suppress
from typing import Any, Final

import orjson

from ...traces import BodyReader, DecodingError, StoreError, decoded
from ._dialect import UnreadableError

__all__ = ["parse_events", "parse_json", "read_body"]

_OTHER_LINE_END: Final = re.compile(rb"\r\n|\r")
_FIELD: Final = b"data:"
_END_OF_EVENTS: Final = b"[DONE]"
_PLAIN_START: Final = b"data: "
_PLAIN_BREAK: Final = b"\n\ndata: "
_PLAIN_END: Final = _PLAIN_BREAK + _END_OF_EVENTS


def read_body(bodies: BodyReader, digest: str | None, head: str | None, lost: str | None = None) -> bytes:
    """A body as it was before it was encoded, with its secrets masked.

    Args:
        bodies: those of the run.
        digest: the sha256 of the body as it was on the wire; None if it is not known.
        head: the header lines that came with it; None if they are not known, which counts as no coding.
        lost: why bodies of this call were not kept; None if they were.

    Raises:
        UnreadableError: it cannot be had.
    """
    not_kept = f"its bodies were not kept: {lost}" if lost else None
    if digest is None:
        raise UnreadableError(not_kept or "its body was not recorded")
    try:
        body = bodies.get(digest)
    except KeyError:
        raise UnreadableError(not_kept or "its body is not in the run's folder") from None
    except StoreError:
        raise UnreadableError(not_kept or "its body is damaged, or lost in a gap of the run's folder") from None
    coding = _content_coding(head)
    masked = bodies.masked(digest)
    if masked is not None and masked.decoded:
        return body
    try:
        return decoded(body, coding)
    except DecodingError as error:
        raise UnreadableError(str(error)) from error


def _content_coding(head: str | None) -> str:
    """The value of `Content-Encoding`, of several lines joined; empty if there is none."""
    if head is None or "content-encoding" not in head.lower():
        return ""
    lines = [line.partition(":") for line in head.split("\r\n")]
    return ",".join(value.strip() for name, _, value in lines if name.strip().lower() == "content-encoding")


def parse_json(text: bytes) -> Any:
    """The JSON of a body.

    Half a character, as agents leave it that cut their texts by UTF-16 units, is no JSON by the letter: it is read as `?`.

    Raises:
        UnreadableError: it is none.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        lenient = json.dumps(json.loads(text), ensure_ascii=False)
        return orjson.loads(lenient.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise UnreadableError("it is no JSON, or was cut off") from None


def parse_events(stream: bytes) -> list[Any]:
    """The JSON of each server-sent event that has some (WHATWG HTML, section 9.2), in their order.

    An event whose data is no JSON is passed over: a cut stream ends in half a one.

    Raises:
        UnreadableError: these are no events.
    """
    values: list[Any]
    if stream.startswith(_PLAIN_START):
        with suppress(orjson.JSONDecodeError):
            # The usual stream, as one list: much faster than event by event.
            plain = stream.rstrip().removesuffix(_PLAIN_END).removeprefix(_PLAIN_START)
            values = orjson.loads(b"[%b]" % plain.replace(_PLAIN_BREAK, b","))
            return values
    payloads = _payloads(stream)
    if not payloads:
        raise UnreadableError("it is neither JSON nor events")
    told = [payload for payload in payloads if payload.strip() != _END_OF_EVENTS]
    values = []
    for payload in told:
        with suppress(UnreadableError):
            values.append(parse_json(payload))
    if told and not values:
        raise UnreadableError("none of its events is JSON")
    return values


def _payloads(stream: bytes) -> list[bytes]:
    """The data of each event that has some."""
    if b"\r" in stream:
        stream = _OTHER_LINE_END.sub(b"\n", stream)
    payloads = []
    for event in stream.split(b"\n\n"):
        if b"\n" not in event:
            if event.startswith(_FIELD):
                payloads.append(event[len(_FIELD) :])
        elif lines := [line[len(_FIELD) :] for line in event.split(b"\n") if line.startswith(_FIELD)]:
            payloads.append(b"\n".join(lines))
    return payloads
