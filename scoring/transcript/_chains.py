"""Conversations that the provider remembers: a request of OpenAI Responses may name the answer that it goes on from."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...traces import Call
from ._turn import Message

__all__ = ["Chains"]


class Chains:
    """Puts what came before in front of a request's entries, as far as the run holds it."""

    def __init__(self, wanted: Iterable[str | None]) -> None:
        """Take the ids of all answers that any request goes on from: what was said up to the others is not kept."""
        self._wanted = set(wanted)
        self._links: dict[str | None, tuple[str | None, list[Any]]] = {}
        """By the id of an answer: the one before, and what was said since, with the answer."""

    def follow(
        self, call: Call, request: Mapping[str, Any], entries: list[Any], answers: tuple[Message, ...]
    ) -> list[Any]:
        """The entries of the whole conversation. An answer in it is an entry of its own kind: a tuple of messages.

        Args:
            call: the calls of a run are to be told in the order of time.
            request: its request.
            entries: those of its request. Instructions come first; they hold for one answer and are not remembered.
            answers: what it was answered.
        """
        previous = call.request.previous_response_id
        answered = call.response.id if call.response else None
        start = 1 if request.get("instructions") else 0
        before = self._before(previous)
        if answered is not None and answered in self._wanted:
            self._links[answered] = (previous, [*entries[start:], answers[:1]])
        return [*entries[:start], *before, *entries[start:]] if before else entries

    def _before(self, answered: str | None) -> list[Any]:
        links: list[list[Any]] = []
        while answered in self._links and len(links) < len(
            self._links
        ):  # ids that go in a circle are not followed twice
            answered, said = self._links[answered]
            links.append(said)
        return [entry for said in reversed(links) for entry in said]
