"""What a run has said so far. An agent sends its whole history again with each call: this tells what is new in it."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from itertools import chain
from typing import Any

import orjson

from ._turn import Message, ToolInvocation

__all__ = ["History"]

Words = tuple[Hashable, ...]
"""What makes two messages the same: equal for a message and for what an agent sends back of it."""


class History:
    """Remembers the messages of a run's calls, which are to be told in the order of time.

    A message is new if no earlier request, together with one choice of its answer, held it as often as it stands in this one
    so far. So what a user says twice in a growing conversation is new twice; a history that was shortened has nothing new
    but what was put in; and what two conversations of a run have in common is new in the first.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._most: dict[Words, int] = {}
        """How often some earlier request, with its answer, held it."""
        # Of the request before:
        self._entries: list[Any] = []
        self._words: list[list[Words]] = []
        self._held: Counter[Words] = Counter()

    def ask(self, entries: list[Any], messages_of: Callable[[Any], tuple[Message, ...]]) -> tuple[Message, ...]:
        """Take a request's entries; gives its messages that are new."""
        shared = _common_prefix(entries, self._entries)
        words, held = self._words[:shared], self._held
        if shared < len(self._words):
            held = Counter(chain.from_iterable(words))
        new = []
        for entry in entries[shared:]:
            words.append([])
            for message in messages_of(entry):
                own = _words(message)
                words[-1] += own
                held.update(own)
                if any(held[word] > self._most.get(word, 0) for word in own):
                    new.append(message)
        for word in chain.from_iterable(words[shared:]):
            self._remember(word, held[word])
        self._entries, self._words, self._held = entries, words, held
        return tuple(new)

    def ask_unknown(self) -> None:
        """Take note of a request that cannot be read."""
        self._entries, self._words, self._held = [], [], Counter()

    def answer(self, choices: Iterable[Message]) -> None:
        """Take the answer to the request that was asked last."""
        for choice in choices:
            for word, times in Counter(_words(choice)).items():
                self._remember(word, self._held[word] + times)

    def _remember(self, word: Words, times: int) -> None:
        self._most[word] = max(self._most.get(word, 0), times)


def _common_prefix(entries: list[Any], known: list[Any]) -> int:
    if entries[: len(known)] == known:
        return len(known)
    pairs = zip(entries, known, strict=False)
    return next((position for position, (entry, other) in enumerate(pairs) if entry != other), len(entries))


def _words(message: Message) -> list[Words]:
    """Text and each tool call by themselves, since agents send back in two messages what was one, or the reverse.

    Reasoning counts only where there is nothing else: most agents do not send it back.
    """
    text, words = message.text, list[Words]()
    if message.role == "assistant":
        text = text.rpartition("</think>")[2].strip()
        words += [("call", call.name, _normalised(call)) for call in message.tool_calls]
    if message.refusal:
        words.append(("refusal", message.refusal))
    if text or not words:
        words.append((message.role, message.tool_call_id, text or message.reasoning))
    return words


def _normalised(call: ToolInvocation) -> str | bytes:
    """The arguments, however they are spaced and ordered."""
    try:
        return orjson.dumps(orjson.loads(call.arguments), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return call.arguments
