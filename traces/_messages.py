"""Messages that passed through the tunnel of a call: spans of no duration below it, their contents among the bodies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from . import _names as names
from ._call import Sender
from ._otlp import SpanRecord
from ._reader import journal_path, spans_containing
from ._span import hash_pairs, masked_bodies

__all__ = ["MessageKind", "TunnelMessage", "message_attributes", "read_messages"]

MessageKind = Literal["text", "binary", "close", "ping", "pong"]
"""RFC 6455, section 5.6 and 5.5: messages, whole, and control frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelMessage:
    """One message, unmasked and inflated."""

    at_ns: int
    """Its last byte was in: Unix time, nanoseconds."""
    sender: Sender
    kind: MessageKind
    bytes: int
    body_hash: str | None
    """Lower-case hex sha256 of its content, which is in `bodies/`; None if that was not kept."""
    kept_hash: str | None = None
    """Lower-case hex sha256 of what is kept of its content, if secrets are masked in it; else None."""
    lost: str | None = None
    """Why the content was not kept; None if it was."""
    call_id: str = ""
    """The span id of the call through whose tunnel it passed; empty for a message that has not been recorded."""


_MEMBERS: Final[Mapping[str, str]] = {
    names.MESSAGE_SENDER: "sender",
    names.MESSAGE_KIND: "kind",
    names.MESSAGE_BYTES: "bytes",
    names.MESSAGE_BODY_HASH: "body_hash",
    names.BODIES_LOST: "lost",
}


def message_attributes(message: TunnelMessage) -> dict[str, Any]:
    """The attributes of a message's span. What is None has none."""
    attributes = {name: value for name, member in _MEMBERS.items() if (value := getattr(message, member)) is not None}
    if message.body_hash is not None and message.kept_hash is not None:
        attributes[names.BODIES_MASKED] = hash_pairs({message.body_hash: message.kept_hash})
    return attributes


def read_messages(where: Path) -> Iterator[TunnelMessage]:
    """All messages that passed through tunnels of a run, in the order in which they came.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    for span in spans_containing(journal_path(where), f'"{names.MESSAGE}"'.encode()):
        if span.attributes.get(names.SPAN_KIND) == names.MESSAGE:
            yield _message_of(span)


def _message_of(span: SpanRecord) -> TunnelMessage:
    own: dict[str, Any] = {member: span.attributes.get(name) for name, member in _MEMBERS.items()}
    own["kept_hash"] = masked_bodies(span.attributes).get(own["body_hash"] or "")
    return TunnelMessage(**own, at_ns=span.start_ns, call_id=span.parent_id or "")
