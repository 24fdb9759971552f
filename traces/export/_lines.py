"""Reading the lines of a journal as a destination wants them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import orjson

from ._batches import Line, encoded
from ._destination import Destination
from ._profile import TracesData

__all__ = ["FromBytes", "parsed", "read_lines", "sendable"]

FromBytes = Callable[[bytes], tuple[TracesData, Path]]
"""From a line's bytes to what is recorded, and the folder of its run. Raises ValueError if it is no OTLP/JSON."""


def read_lines(file: BinaryIO, offset: int, destination: Destination, read: FromBytes) -> Iterator[Line]:
    """The whole lines from an offset on. A torn last line waits for its end; one that is no JSON is an empty line.

    Args:
        file: the journal.
        offset: where a line begins, in bytes.
        destination: whose profile and protocol make the line.
        read: reads it.
    """
    file.seek(offset)
    for text in file:
        if not text.endswith(b"\n"):
            return
        offset += len(text)
        yield _line(text, offset, destination, read)


def parsed(text: bytes) -> TracesData:
    """A line as JSON.

    Raises:
        ValueError: it is none, or no object with `resourceSpans`.
    """
    data = orjson.loads(text)
    if not isinstance(data, dict) or not isinstance(data.get("resourceSpans"), list):
        raise ValueError("not OTLP/JSON traces")  # noqa: TRY004  what is wrong is the text
    return data


def sendable(recorded: TracesData, folder: Path, end: int, destination: Destination) -> Line:
    """A line as a destination wants it; `end` is where it ends in its file. What fails at it is its `fault`."""
    profile = destination.profile
    try:
        wanted = profile.rewrite(profile.enrich(recorded, folder))
        if wanted is None or not (spans := _span_count(wanted)):
            return Line(end=end, recorded=recorded, folder=folder)
        payload = encoded(wanted, destination.protocol)
    except Exception as error:  # noqa: BLE001  one line, whatever is in it, does not keep the others here
        return Line(end=end, recorded=recorded, folder=folder, fault=f"{profile.name}: cannot be encoded: {error!r}")
    return Line(end=end, recorded=recorded, folder=folder, payload=payload, spans=spans)


def _line(text: bytes, end: int, destination: Destination, read: FromBytes) -> Line:
    try:
        recorded, folder = read(text)
    except (ValueError, KeyError, TypeError):
        return Line(end=end, recorded=None, folder=Path())
    return sendable(recorded, folder, end, destination)


def _span_count(data: TracesData) -> int:
    return sum(
        len(scope.get("spans") or ())
        for resource in data["resourceSpans"]
        for scope in resource.get("scopeSpans") or ()
    )
