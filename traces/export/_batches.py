"""Lines of a journal as they are sent, and how many at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from ._profile import Protocol, TracesData

__all__ = ["BATCH_BYTES", "Batch", "Line", "body_of", "encoded", "in_batches"]

BATCH_BYTES: Final = 3 * 2**20
"""Before compression: receivers of gRPC take 4 MiB by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a journal."""

    end: int
    """Offset in the file after its newline."""
    recorded: TracesData | None = field(repr=False)
    """As it stands in the journal; None if it is no JSON."""
    folder: Path
    """Of its run."""
    payload: bytes = field(repr=False, default=b"")
    """As it is sent, by the protocol; empty if nothing of it is."""
    spans: int = 0
    """How many it holds as sent."""
    fault: str | None = None
    """Why it cannot be sent although it is JSON: the profile or the encoding failed at it. None: it can."""


Batch: TypeAlias = tuple[Line, ...]


def encoded(data: TracesData, protocol: Protocol) -> bytes:
    """The part of a request's body that a line makes.

    Raises:
        ValueError: it is no OTLP/JSON.
    """
    if protocol != "http/json":
        from ._protobuf import to_protobuf  # noqa: PLC0415  of the extra

        return to_protobuf(data)
    try:
        return b",".join(map(orjson.dumps, data["resourceSpans"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not OTLP/JSON traces: {error!r}") from error


def body_of(batch: Iterable[Line], protocol: Protocol) -> bytes:
    """A request's body: one message with the spans of all lines."""
    payloads = [line.payload for line in batch if line.payload]
    return b'{"resourceSpans":[%b]}' % b",".join(payloads) if protocol == "http/json" else b"".join(payloads)


def in_batches(lines: Iterable[Line], limit: int = BATCH_BYTES) -> Iterator[Batch]:
    """The lines in their order, as many at once as fit `limit` bytes; one that is longer goes alone."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and size + len(line.payload) > limit:
            yield tuple(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line.payload) + 1
    if batch:
        yield tuple(batch)
