"""Which request goes on from which: an agent sends its whole conversation again, and may hold several at a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..transcript import Message
from ._common import common_prefix

__all__ = ["Asked", "Conversations"]

Places = list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The messages of a request against those of the request that it goes on from."""

    since: str | None
    """Which request that is; None if it goes on from none."""
    kept: int
    """How many messages they have in common, from the first on."""
    dropped: int
    """How many messages of that request, after those, it left out."""
    added: tuple[int, ...]
    """What follows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A request: its entries as they were sent, and the messages that each of them is."""

    name: str
    entries: list[Any]
    messages: list[tuple[int, ...]]
    """By entry, so that what was read once is not read again."""
    said: Places
    """All of them."""


class Conversations:
    """Remembers the latest requests, which are to be told in the order of time."""

    HELD: Final = 8
    """Conversations whose latest request is remembered."""

    def __init__(
        self, places_of: Callable[[tuple[Message, ...]], tuple[int, ...]], is_spoken: Callable[[int], bool]
    ) -> None:
        """Begin with none.

        Args:
            places_of: gives each message its place.
            is_spoken: whether the message at a place is more than instructions, which any two conversations may share.
        """
        self._places_of = places_of
        self._is_spoken = is_spoken
        self._held: deque[_Held] = deque(maxlen=self.HELD)

    def ask(self, name: str, entries: list[Any], messages_of: Callable[[Any], tuple[Message, ...]]) -> Asked:
        """Take a request.

        Args:
            name: what it is called in `Asked.since`.
            entries: of its conversation.
            messages_of: the messages of an entry.
        """
        if not entries:
            return Asked(since=None, kept=0, dropped=0, added=())
        known, shared = self._most_like(entries)
        messages = known.messages[:shared] if known else []
        messages += [self._places_of(messages_of(entry)) for entry in entries[shared:]]
        said = [place for some in messages for place in some]
        before, kept = self._goes_on_from(said)
        if before is not None and kept == len(before.said):
            self._held.remove(before)
        self._held.append(_Held(name, entries, messages, said))
        if before is None:
            return Asked(since=None, kept=0, dropped=0, added=tuple(said))
        return Asked(since=before.name, kept=kept, dropped=len(before.said) - kept, added=tuple(said[kept:]))

    def _most_like(self, entries: list[Any]) -> tuple[_Held | None, int]:
        """The request that has most entries in common with these, and how many these are."""
        best: tuple[_Held | None, int] = (None, 0)
        for held in reversed(self._held):
            shared = common_prefix(held.entries, entries)
            if shared > best[1]:
                best = (held, shared)
            if shared == len(held.entries):
                break
        return best

    def _goes_on_from(self, said: Places) -> tuple[_Held | None, int]:
        """The latest request of those that have most messages in common with these; None if they share instructions only."""
        best: tuple[_Held | None, int] = (None, 0)
        for held in reversed(self._held):
            shared = common_prefix(held.said, said)
            if shared > best[1]:
                best = (held, shared)
        return best if any(map(self._is_spoken, said[: best[1]])) else (None, 0)
