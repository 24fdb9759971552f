"""How one API writes down a conversation. Each API has a module that reads it and gives one of these."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ._turn import Message

__all__ = ["Dialect", "UnreadableError"]


class UnreadableError(ValueError):
    """A body cannot be had or is not understood; the message says why, and holds nothing of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Reads the JSON of one API, leniently: what is not as the API says is passed over."""

    entries: Callable[[dict[str, Any]], list[Any]]
    """The parts of a request that make up the conversation, in its order. Those that stand as they stood in the request
    before are not read again. Raises UnreadableError if it has no such thing."""
    messages: Callable[[Any], tuple[Message, ...]]
    """The messages of one entry; most have one."""
    tools: Callable[[dict[str, Any]], tuple[str, ...]]
    """The names of the tools that a request offers."""
    whole_answer: Callable[[dict[str, Any]], tuple[Message, ...]]
    """The choices of an answer that came as one JSON object."""
    streamed_answer: Callable[[Iterable[Any]], tuple[Message, ...]]
    """The choices of an answer that came as events, from the JSON of each event, in their order."""
