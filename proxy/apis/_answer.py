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
    previous_response_id: str | None = None
    """The answer that it goes on from, which the provider keeps."""
    conversation_id: str | None = None
    """The conversation that it belongs to, which the provider keeps."""
    unread: str | None = None
    """Why its body was not read, if it was not."""


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
    """One for each choice that told one, by the choice's index, in the provider's own words."""
    tool_calls: tuple[ToolCall, ...] = ()
    tokens: TokenCounts | None = None
    """None if it told no usage."""
    refused: bool = False
    """It says of itself that it is a refusal: by a part of that kind, or by why it ended."""
    service_tier: str | None = None
    system_fingerprint: str | None = None
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
        """Take the next bytes, decoded. Raises DecodingError if there are too many to be read."""

    def finish(self) -> Answer:
        """What the answer said, all bytes having been fed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How one API's bytes are read."""

    name: str
    """As calls are recorded, such as `chat_completions`."""
    provider: str | None
    """Who defined it: `gen_ai.provider.name` of the conventions; None if that cannot be told from a request."""
    read_question: Callable[[bytes], Question]
    """What a request's body, decoded, asks for. It never raises."""
    stream_reader: Callable[[], AnswerReader]
    """A new reader for an answer of events."""
    whole_reader: Callable[[], AnswerReader]
    """A new reader for an answer of one JSON object."""
    error_body: Callable[[int, str, str], bytes]
    """An error of the proxy's own in this API's shape, JSON: from HTTP status, code and message."""
    uses_tokens: bool = True
    """A request makes a model work. If not, there is no usage to be told."""
