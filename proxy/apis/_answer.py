"""What can be told from the bytes of a request and of an answer, whatever the API. Each API has a module that reads it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...traces import ToolCall

__all__ = ["Answer", "AnswerReader", "Api", "Question", "TokenCounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a request asks for."""

    model: str | None = None
    streamed: bool = False
    parsed: Any = None
    """The request's JSON; None if it is none."""
    wants_usage_asked_for: bool = False
    """It is a stream whose usage the upstream will not tell unless it is asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Token counts as a provider tells them, brought to one meaning. None is 'not told'."""

    input_tokens: int | None = None
    """Cached ones included."""
    output_tokens: int | None = None
    """Reasoning included."""
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an answer says of itself."""

    response_id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    """One for each choice that told one, by the choice's index."""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: TokenCounts | None = None
    """None if it told no usage."""
    error_type: str | None = None
    message: str | None = field(default=None, repr=False)


class AnswerReader(Protocol):
    """Reads an answer as it comes. It never raises for what it does not know."""

    @property
    def ended(self) -> bool:
        """The terminal event has been seen: the agent will look no further."""

    @property
    def has_content(self) -> bool:
        """Something has come that is content, and not a role, a comment or a ping."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, decoded."""

    def finish(self) -> Answer:
        """What the answer said, all bytes having been fed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How one API's bytes are read."""

    name: str
    """As calls are recorded, such as `chat_completions`."""
    provider: str
    """Who defined it: `gen_ai.provider.name` of the conventions."""
    read_question: Callable[[bytes], Question]
    """What a request's body, decoded, asks for. It never raises."""
    stream_reader: Callable[[], AnswerReader]
    """A new reader for an answer of events."""
    whole_reader: Callable[[], AnswerReader]
    """A new reader for an answer of one JSON object."""
