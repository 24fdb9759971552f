"""OpenAI's legacy Completions as a conversation: a prompt is what a user says, the text that goes on from it the answer."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

from ._dialect import Dialect, UnreadableError
from ._members import list_of, object_of, text_of
from ._turn import Message

__all__ = ["COMPLETIONS"]


def _entries(request: dict[str, Any]) -> list[Any]:
    """One for each prompt. A prompt of tokens is a list of numbers."""
    prompt = request.get("prompt")
    if prompt is None:
        raise UnreadableError("it has no prompt")
    has_several = isinstance(prompt, list) and any(isinstance(one, str | list) for one in prompt)
    return prompt if has_several else [prompt]


def _messages(entry: Any) -> tuple[Message, ...]:
    return (Message(role="user", text=entry if isinstance(entry, str) else "[tokens]"),)


def _tools(_request: dict[str, Any]) -> tuple[str, ...]:
    return ()


def _whole_answer(answer: dict[str, Any]) -> tuple[Message, ...]:
    return _streamed_answer((answer,))


def _streamed_answer(events: Iterable[Any]) -> tuple[Message, ...]:
    texts: defaultdict[int, list[str]] = defaultdict(list)
    for event in events:
        for position, choice in enumerate(map(object_of, list_of(object_of(event).get("choices")))):
            index = choice.get("index")
            texts[index if type(index) is int else position].append(text_of(choice.get("text")))
    return tuple(Message(role="assistant", text="".join(pieces)) for _, pieces in sorted(texts.items()))


COMPLETIONS: Final = Dialect(
    entries=_entries,
    messages=_messages,
    tools=_tools,
    whole_answer=_whole_answer,
    streamed_answer=_streamed_answer,
)
