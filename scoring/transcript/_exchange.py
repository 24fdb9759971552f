"""One call by itself: all that its request holds, and what it was answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ...traces import BodyReader, Call
from ._dialect import UnreadableError
from ._members import list_of, object_of
from ._reading import dialect_of, read_answer, read_request, reason_of
from ._turn import Message

__all__ = ["Exchange", "read_exchange"]

_BESIDE: Final[Mapping[str | None, str]] = {"messages": "system", "responses": "instructions"}
"""By API: the member that holds instructions outside the conversation. A dialect tells them as its first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a call's bodies hold. None: the body was not kept, or is not understood."""

    instructions: tuple[Message, ...] = field(default=(), repr=False)
    """Those that stand outside the conversation, as two of the APIs have it."""
    messages: tuple[Message, ...] | None = field(default=None, repr=False)
    """The conversation that the request holds; what it leaves to the provider to remember is not in it."""
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """The tools that it offers, as the provider of the API wants them described."""
    answers: tuple[Message, ...] | None = field(default=None, repr=False)
    """The choices of the answer, in their order."""
    unreadable: str | None = None
    """Why something is None; None if nothing is."""


def read_exchange(call: Call, bodies: BodyReader) -> Exchange:
    """What the bodies of one call hold.

    Args:
        call: of a run.
        bodies: those of the run.
    """
    answers = read_answer(call, bodies)
    problems = [f"answer: {answers}"] if isinstance(answers, UnreadableError) else []
    told = None if isinstance(answers, UnreadableError) else answers
    try:
        request = read_request(call, bodies)
        entries = [dialect_of(call).messages(entry) for entry in dialect_of(call).entries(request)]
    except (UnreadableError, RecursionError) as error:
        return Exchange(answers=told, unreadable="; ".join([f"request: {reason_of(error)}", *problems]))
    beside = 1 if request.get(_BESIDE.get(call.request.api, "")) else 0
    return Exchange(
        instructions=tuple(message for entry in entries[:beside] for message in entry),
        messages=tuple(message for entry in entries[beside:] for message in entry),
        tools=tuple(object_of(tool) for tool in list_of(request.get("tools"))),
        answers=told,
        unreadable="; ".join(problems) or None,
    )
