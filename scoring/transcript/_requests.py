"""The requests of a run one after the other, each read once: what it holds as bytes, as JSON and as a conversation."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...traces import BodyReader, Call
from ._body import read_body
from ._chains import Chains
from ._dialect import UnreadableError
from ._reading import dialect_of, object_in, reason_of
from ._turn import Message

__all__ = ["WORDLESS_APIS", "RequestRead", "Requests", "read_response_body"]

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
    """The messages of an entry. Raises RecursionError: it is nested too deeply."""
    tools: tuple[str, ...] | None = None
    """Names of the tools that it offers."""
    unreadable: str | None = None
    """Why something is None; None if nothing is."""


class Requests:
    """Reads the requests of a run, which are to be told in the order of time."""

    def __init__(self, calls: Iterable[Call], bodies: BodyReader) -> None:
        """Take all calls of the run, and its bodies."""
        self._chains = Chains(call.request.previous_response_id for call in calls)
        self._bodies = bodies

    def read(self, call: Call, answers: tuple[Message, ...]) -> RequestRead:
        """Read the request of a call that was answered so."""
        body: bytes | None = None
        members: dict[str, Any] | None = None
        try:
            body = read_body(self._bodies, call.request.body_hash, call.request.head, call.bodies_lost)
            members = object_in(body)
            if call.request.api in WORDLESS_APIS:
                return RequestRead(call=call, body=body, members=members, entries=[], tools=())
            dialect = dialect_of(call)
            entries = self._chains.follow(call, members, dialect.entries(members), answers)
            tools = dialect.tools(members)
        except (UnreadableError, RecursionError) as error:
            return RequestRead(call=call, body=body, members=members, unreadable=reason_of(error))
        return RequestRead(
            call=call,
            body=body,
            members=members,
            entries=entries,
            messages_of=lambda entry: entry if type(entry) is tuple else dialect.messages(entry),
            tools=tools,
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
