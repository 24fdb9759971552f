"""Anthropic Messages: what a request asks and what an answer says, streamed or whole; and the counting of tokens.

Anthropic's `input_tokens` are those that neither came from a cache nor went into one, so the conventions' `input_tokens` is
the sum of all three. The counts of a stream are cumulative: the last one told counts, and null is not told. A server that
counts cached tokens in `input_tokens` all the same cannot be told from its numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson

from ...traces import ToolCall
from ._answer import Answer, Api, Question, TokenCounts
from ._members import count_of, counts_of, error_of, object_of, objects_of, parsed_object, text_of, utf8_length
from ._readers import StreamReader, WholeReader
from ._sse import event_data, event_type, leading_type

__all__ = ["COUNT_TOKENS", "MESSAGES"]

_STOP: Final = "message_stop"
_DELTA: Final = b"content_block_delta"
_ARGUMENTS_DELTA: Final = b'"input_json_delta"'
"""Stands in no text as it stands here: in a JSON string its quotes are escaped."""
_TOOL_USE: Final = "tool_use"
"""The block that asks the agent to run a tool. `server_tool_use` and others run at the provider's."""
_REFUSING: Final = "refusal"
_TEXT_MEMBERS: Final = ("text", "thinking")
_CONTENT_MEMBERS: Final = ("text", "thinking", "partial_json", "citation", "content")
"""Of deltas. A signature is none: it says nothing."""
_TOKEN_MEMBERS: Final = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("cache_read_input_tokens",),
    "cache_creation_tokens": ("cache_creation_input_tokens",),
    "reasoning_tokens": ("output_tokens_details", "thinking_tokens"),
}
_ERROR_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}
"""By status; `api_error` for all others."""


def _read_question(body: bytes) -> Question:
    parsed = parsed_object(body)
    if parsed is None:
        return Question()
    return Question(model=text_of(parsed.get("model")), streamed=parsed.get("stream") is True, parsed=parsed)


def _error_body(status: int, code: str, message: str) -> bytes:  # noqa: ARG001  Anthropic's errors have a type only
    error = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
    return orjson.dumps({"type": "error", "error": error})


@dataclass(slots=True)
class _Call:
    """A tool call as far as it is known."""

    id: str | None
    name: str | None
    whole_bytes: int
    """Length of the arguments that came with the block."""
    delta_bytes: int = 0

    @property
    def arguments_bytes(self) -> int:
        return self.delta_bytes or self.whole_bytes


class _Collector:
    """Gathers what events say, or the whole answer."""

    def __init__(self) -> None:
        self.has_content = False
        self.ended = False
        self._id: str | None = None
        self._model: str | None = None
        self._stop_reason: str | None = None
        self._calls: dict[int, _Call] = {}
        self._tokens: dict[str, int] = {}
        self._service_tier: str | None = None
        self._error: tuple[str | None, str | None] = (None, None)

    def take_event(self, event: bytes) -> None:
        kind = leading_type(event)
        if kind and (kind not in _READ_TYPES or self._is_mere_text(kind, event)):
            return
        said = parsed_object(event_data(event)) or {}
        name = text_of(said.get("type")) or event_type(event).decode("latin-1")
        if name in _TAKERS:
            _TAKERS[name](self, said)
        elif said.get("error"):
            # Servers of other dialects tell an error as their other APIs do.
            self.take_error(said)

    def _is_mere_text(self, kind: bytes, event: bytes) -> bool:
        return self.has_content and kind == _DELTA and _ARGUMENTS_DELTA not in event

    def take_begun(self, event: bytes) -> None:
        kind = event_type(event).decode("latin-1") or object_of(parsed_object(event_data(event))).get("type")
        # The type of the last event says it all; an error is taken when its data is there.
        if kind == _STOP or (kind == "error" and parsed_object(event_data(event)) is not None):
            self.take_event(event)

    def take_whole(self, said: dict[str, Any]) -> None:
        if said.get("error"):
            self._error = error_of(said["error"])
        self.take_message(said)
        for index, block in enumerate(objects_of(said.get("content"))):
            self._take_block(block, index)

    def take_start(self, said: dict[str, Any]) -> None:
        self.take_whole(object_of(said.get("message")))

    def take_message(self, said: dict[str, Any]) -> None:
        """What stands in the message, and of that in `message_delta`."""
        self._id = text_of(said.get("id")) or self._id
        self._model = text_of(said.get("model")) or self._model
        self._stop_reason = text_of(object_of(said.get("delta") or said).get("stop_reason")) or self._stop_reason
        usage = object_of(said.get("usage"))
        self._tokens.update(counts_of(usage, _TOKEN_MEMBERS))
        self._service_tier = text_of(usage.get("service_tier")) or self._service_tier

    def take_block(self, said: dict[str, Any]) -> None:
        index = count_of(said.get("index"))
        self._take_block(object_of(said.get("content_block")), len(self._calls) if index is None else index)

    def _take_block(self, block: dict[str, Any], index: int) -> None:
        kind = block.get("type")
        if any(member in block for member in _TEXT_MEMBERS):
            self.has_content = self.has_content or any(block.get(member) for member in _TEXT_MEMBERS)
        else:
            self.has_content = self.has_content or kind is not None
        if kind == _TOOL_USE:
            length = utf8_length(block.get("input"))
            self._calls[index] = _Call(text_of(block.get("id")), text_of(block.get("name")), length)

    def take_delta(self, said: dict[str, Any]) -> None:
        delta = object_of(said.get("delta"))
        self.has_content = self.has_content or any(delta.get(member) for member in _CONTENT_MEMBERS)
        if isinstance(delta.get("partial_json"), str):
            index = count_of(said.get("index"))
            call = self._calls.get(max(self._calls, default=0) if index is None else index)
            if call is not None:
                call.delta_bytes += utf8_length(delta["partial_json"])

    def take_stop(self, _said: dict[str, Any]) -> None:
        self.ended = True

    def take_error(self, said: dict[str, Any]) -> None:
        self._error = error_of(said.get("error") or said)
        self.ended = True

    def answer(self) -> Answer:
        error_type, message = self._error
        calls = [call for _, call in sorted(self._calls.items())]
        return Answer(
            response_id=self._id,
            model=self._model,
            finish_reasons=(self._stop_reason,) if self._stop_reason else (),
            tool_calls=tuple(
                ToolCall(choice=0, index=index, id=call.id, name=call.name, arguments_bytes=call.arguments_bytes)
                for index, call in enumerate(calls)
            ),
            tokens=_counts(self._tokens),
            refused=self._stop_reason == _REFUSING,
            service_tier=self._service_tier,
            error_type=error_type,
            message=message,
        )


def _counts(told: Mapping[str, int]) -> TokenCounts | None:
    if not told:
        return None
    counts = dict(told)
    if "input_tokens" in counts:
        counts["input_tokens"] += counts.get("cache_read_tokens", 0) + counts.get("cache_creation_tokens", 0)
    return TokenCounts(**counts)


_TAKERS: Final[Mapping[str, Callable[[_Collector, dict[str, Any]], None]]] = {
    "message_start": _Collector.take_start,
    "content_block_start": _Collector.take_block,
    "content_block_delta": _Collector.take_delta,
    "message_delta": _Collector.take_message,
    "message_stop": _Collector.take_stop,
    "error": _Collector.take_error,
}
"""The events of which something is read, by type."""
_READ_TYPES: Final = frozenset(name.encode() for name in _TAKERS)

MESSAGES: Final = Api(
    name="messages",
    provider="anthropic",
    read_question=_read_question,
    stream_reader=partial(StreamReader, _Collector),
    whole_reader=partial(WholeReader, _Collector),
    error_body=_error_body,
)

COUNT_TOKENS: Final = Api(
    name="count_tokens",
    provider="anthropic",
    read_question=_read_question,
    stream_reader=partial(StreamReader, _Collector),
    whole_reader=partial(WholeReader, _Collector),
    error_body=_error_body,
    uses_tokens=False,
)
