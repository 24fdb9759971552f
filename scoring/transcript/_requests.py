"""The requests of a run one after the other, each read once: what it holds as bytes, as JSON and as a conversation."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...traces import BodyReader, Call
from ._body import read_body
from ._chains import Chains
from ._dialect import UnreadableError
from ._reading import dialect_of, object_in, reason_of
from ._turn import Message, Turn

__all__ = ["WORDLESS_APIS", "RequestRead", "read_requests", "read_response_body"]

WORDLESS_APIS: Final = frozenset({"count_tokens", "embeddings", "models"})
"""In whose calls nothing is said to a model that speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRead:
    """A call's request, as it was before it was encoded, with its secrets masked. None: not kept, or not understood."""

    call: Call = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    members: Mapping[str, Any] | None = field(default=None, repr=False)
    """The JSON object that it is."""
    entries: list[Any] | None = field(default=None, repr=False)
    """Of the whole conversation, with what the provider remembers of it as far as the run holds that."""
    messages_of: Callable[[Any], tuple[Message, ...]] = field(default=lambda _: (), repr=False)
    """The messages of an entry."""
    unreadable: str | None = None
    """Why something is None; None if nothing is."""


def read_requests(turns: Iterable[Turn], bodies: BodyReader) -> Iterator[RequestRead]:
    """Read the requests of a run, in the order of time. Held is one at a time, and what chains of answers need.

    Args:
        turns: all turns of the run.
        bodies: those of the run.
    """
    given = list(turns)
    in_time = sorted(given, key=lambda turn: (turn.call.timing.start_ns, turn.call.sequence or 0, turn.call.span_id))
    chains = Chains(turn.call.request.previous_response_id for turn in given)
    for turn in in_time:
        yield _read(turn, chains, bodies)


def _read(turn: Turn, chains: Chains, bodies: BodyReader) -> RequestRead:
    call = turn.call
    body: bytes | None = None
    members: dict[str, Any] | None = None
    try:
        body = read_body(bodies, call.request.body_hash, call.request.head, call.bodies_lost)
        members = object_in(body)
        if call.request.api in WORDLESS_APIS:
            return RequestRead(call=call, body=body, members=members, entries=[])
        dialect = dialect_of(call)
        entries = chains.follow(call, members, dialect.entries(members), turn.answers or ())
    except (UnreadableError, RecursionError) as error:
        return RequestRead(call=call, body=body, members=members, unreadable=reason_of(error))
    return RequestRead(
        call=call,
        body=body,
        members=members,
        entries=entries,
        messages_of=lambda entry: entry if type(entry) is tuple else dialect.messages(entry),
    )


def read_response_body(call: Call, bodies: BodyReader) -> bytes:
    """The body of a call's answer, as it was before it was encoded, with its secrets masked.

    Raises:
        UnreadableError: it cannot be had.
    """
    response = call.response
    if response is None:
        raise UnreadableError("there was no answer, or the call did not end")
    return read_body(bodies, response.body_hash, response.head, call.bodies_lost)
