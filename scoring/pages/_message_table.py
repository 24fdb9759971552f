"""Messages of a run, each held once."""

from collections.abc import Iterable
from typing import Any, Final

from ..transcript import Message

__all__ = ["MessageTable"]

_LONGEST_TEXT: Final = 100_000
"""Characters of a message, and of each of a tool call's arguments."""


class MessageTable:
    """Gives each message a place; the same message has one place, however often it is said."""

    def __init__(self) -> None:
        """Begin empty."""
        self._places: dict[Message, int] = {}

    def places_of(self, messages: Iterable[Message]) -> tuple[int, ...]:
        """The places of some messages."""
        return tuple(self._places.setdefault(message, len(self._places)) for message in messages)

    def as_json(self) -> list[dict[str, Any]]:
        """All messages, in the order of their places."""
        return [_as_json(message) for message in self._places]


def _as_json(message: Message) -> dict[str, Any]:
    calls = message.tool_calls
    return {
        "role": message.role,
        "text": message.text[:_LONGEST_TEXT],
        "reasoning": None if message.reasoning is None else _cut(message.reasoning),
        "refusal": None if message.refusal is None else _cut(message.refusal),
        "tool_calls": [{"id": call.id, "name": call.name, "arguments": _cut(call.arguments)} for call in calls],
        "tool_call_id": message.tool_call_id,
        "cut": max(len(message.text) - _LONGEST_TEXT, 0),
    }


def _cut(text: str) -> str:
    more = len(text) - _LONGEST_TEXT
    return text if more <= 0 else f"{text[:_LONGEST_TEXT]}… and {more:,} more characters"
