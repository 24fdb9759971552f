"""What was said in one call."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from ...traces import Call

__all__ = ["Message", "ToolInvocation", "Turn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInvocation:
    """A tool call as the model wrote it."""

    id: str | None
    name: str
    arguments: str = field(repr=False)
    """As the model wrote them, usually JSON; may be cut off or not JSON at all."""

    @property
    def parsed(self) -> Any:
        """The arguments as JSON values; None if they are not JSON."""
        try:
            return orjson.loads(self.arguments)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: str
    """`system`, `user`, `assistant`, `tool`; `developer` counts as `system`."""
    text: str = field(default="", repr=False)
    """Its text parts, joined by newlines; parts of other kinds stand as `[image]`, `[audio]`, …"""
    reasoning: str | None = field(default=None, repr=False)
    refusal: str | None = None
    """What the wire itself marks as a refusal (`message.refusal`)."""
    tool_calls: tuple[ToolInvocation, ...] = ()
    tool_call_id: str | None = None
    """Of a tool's result: which call it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One call as part of a conversation."""

    call: Call = field(repr=False)
    added: tuple[Message, ...] | None
    """What the request holds that no earlier call of the run has asked or been answered: agents send their whole history
    again with each call. None if the request's body was not kept or is not understood."""
    answers: tuple[Message, ...] | None
    """The choices of the answer, in their order; empty if it had none; None if it was not kept or is not understood."""
    tools: tuple[str, ...] | None = None
    """Names of the tools that the request offers; None as `added`."""
    unreadable: str | None = None
    """Why something above is None; None if nothing is."""
    repeated: bool = False
    """The call failed, and a later one is another attempt at it: what came of its answer is no part of the conversation."""
