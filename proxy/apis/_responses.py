"""OpenAI Responses: what a request asks and what an answer says, streamed or whole.

A stream tells everything up to three times: in deltas, in `….done` events, and in the response that its last event holds.
Read is what must be: of most events the type is enough, and the last one corrects what was put together before. Some
servers leave members out: indexes, ids, the output in the last event.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ...traces import ToolCall
from ._answer import Answer, Api, Question, TokenCounts
from ._members import count_of, counts_of, error_of, object_of, objects_of, parsed_object, text_of, utf8_length
from ._openai_errors import openai_error
from ._readers import StreamReader, WholeReader
from ._sse import event_data, event_type, leading_type

__all__ = ["RESPONSES"]

_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_ENDED: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
"""Statuses of a response that has ended; `queued` and `in_progress` are no reasons to finish."""
_REFUSING: Final = "content_filter"
_ARGUMENTS: Final[Mapping[str, str]] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
    "tool_search_call": "arguments",
}
"""The items that ask the agent to run a tool, and where its arguments stand. Other tools run at the provider's."""
_TOKEN_MEMBERS: Final = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("input_tokens_details", "cached_tokens"),
    "cache_creation_tokens": ("input_tokens_details", "cache_write_tokens"),
    "reasoning_tokens": ("output_tokens_details", "reasoning_tokens"),
}


def _read_question(body: bytes) -> Question:
    parsed = parsed_object(body)
    if parsed is None:
        return Question()
    conversation = parsed.get("conversation")
    return Question(
        model=text_of(parsed.get("model")),
        streamed=parsed.get("stream") is True,
        parsed=parsed,
        previous_response_id=text_of(parsed.get("previous_response_id")),
        conversation_id=text_of(conversation) or text_of(object_of(conversation).get("id")),
    )


@dataclass(slots=True)
class _Call:
    """A tool call as far as it is known."""

    item_id: str | None
    place: int | None
    id: str | None
    name: str | None = None
    arguments_bytes: int = 0


class _Collector:
    """Gathers what events say, or the whole answer."""

    def __init__(self) -> None:
        self.has_content = False
        self.ended = False
        self._id: str | None = None
        self._model: str | None = None
        self._finish_reason: str | None = None
        self._calls: list[_Call] = []
        self._tokens: dict[str, int] = {}
        self._refused = False
        self._service_tier: str | None = None
        self._error: tuple[str | None, str | None] = (None, None)

    def take_event(self, event: bytes) -> None:
        kind = leading_type(event)
        if kind and kind not in _READ_TYPES and (self.has_content or not kind.endswith(b".delta")):
            return
        said = parsed_object(event_data(event))
        if said is None:
            return
        name = text_of(said.get("type")) or event_type(event).decode("latin-1")
        if name in _TAKERS:
            _TAKERS[name](self, said)
        elif name.endswith(".delta"):
            self.has_content = self.has_content or bool(said.get("delta"))
        elif said.get("error"):
            # Servers of other dialects tell an error as their other APIs do.
            self.take_error(said)
        if name in _TERMINAL:
            self._finish_reason = self._finish_reason or name.removeprefix("response.")
            self.ended = True

    def take_begun(self, event: bytes) -> None:
        kind = event_type(event).decode("latin-1")
        if kind == "error" or kind in _TERMINAL:
            self.take_event(event)

    def take_whole(self, said: dict[str, Any]) -> None:
        if object_of(said.get("response")):
            said = said["response"]
        self._id = text_of(said.get("id")) or self._id
        self._model = text_of(said.get("model")) or self._model
        self._service_tier = text_of(said.get("service_tier")) or self._service_tier
        self._tokens.update(counts_of(said.get("usage"), _TOKEN_MEMBERS))
        if said.get("error"):
            self._error = error_of(said["error"])
        status = text_of(said.get("status"))
        if status in _ENDED:
            self._finish_reason = text_of(object_of(said.get("incomplete_details")).get("reason")) or status
        for place, item in enumerate(objects_of(said.get("output"))):
            self._take_item(item, place)

    def take_error(self, said: dict[str, Any]) -> None:
        self._error = error_of(said.get("error") or {**said, "type": None})
        self.ended = True

    def take_item_event(self, said: dict[str, Any]) -> None:
        self._take_item(object_of(said.get("item")), count_of(said.get("output_index")))

    def _take_item(self, item: dict[str, Any], place: int | None) -> None:
        kind = text_of(item.get("type")) or ""
        if kind in ("message", "reasoning"):
            parts = [part for member in ("content", "summary") for part in objects_of(item.get(member))]
            self._refused = self._refused or any(part.get("refusal") for part in parts)
            self.has_content = self.has_content or self._refused or any(part.get("text") for part in parts)
            return
        self.has_content = self.has_content or kind != ""
        if kind in _ARGUMENTS and item.get("execution") != "server":
            self._take_call(item, kind, place)

    def _take_call(self, item: dict[str, Any], kind: str, place: int | None) -> None:
        item_id, call_id = text_of(item.get("id")), text_of(item.get("call_id"))
        known = self._known(item_id, call_id, place)
        if known is None:
            known = _Call(item_id, place, call_id)
            self._calls.append(known)
        known.id = known.id or call_id or item_id
        known.name = text_of(item.get("name")) or known.name or kind.removesuffix("_call")
        known.arguments_bytes = utf8_length(item.get(_ARGUMENTS[kind])) or known.arguments_bytes

    def _known(self, item_id: str | None, call_id: str | None, place: int | None) -> _Call | None:
        """The call that an item tells more of: by its ids; by its place only if it has none."""
        for call in self._calls:
            if (call_id is not None and call.id == call_id) or (item_id is not None and call.item_id == item_id):
                return call
        return self._at(place) if item_id is None and call_id is None else None

    def _at(self, place: int | None) -> _Call | None:
        return next((call for call in reversed(self._calls) if call.place == place), None)

    def take_arguments(self, said: dict[str, Any]) -> None:
        self.has_content = self.has_content or bool(said.get("delta"))
        # There are servers that tell another item id with each event.
        item_id = text_of(said.get("item_id"))
        known = self._known(item_id, None, None) if item_id else None
        known = known or self._at(count_of(said.get("output_index")))
        if known is not None:
            known.arguments_bytes += utf8_length(said.get("delta"))

    def take_refusal(self, said: dict[str, Any]) -> None:
        if said.get("delta") or said.get("refusal"):
            self._refused = self.has_content = True

    def answer(self) -> Answer:
        error_type, message = self._error
        return Answer(
            response_id=self._id,
            model=self._model,
            finish_reasons=(self._finish_reason,) if self._finish_reason else (),
            tool_calls=tuple(
                ToolCall(choice=0, index=index, id=call.id, name=call.name, arguments_bytes=call.arguments_bytes)
                for index, call in enumerate(self._calls)
            ),
            tokens=TokenCounts(**self._tokens) if self._tokens else None,
            refused=self._refused or self._finish_reason == _REFUSING,
            service_tier=self._service_tier,
            error_type=error_type,
            message=message,
        )


_TAKERS: Final[Mapping[str, Callable[[_Collector, dict[str, Any]], None]]] = {
    "response.created": _Collector.take_whole,
    "response.output_item.added": _Collector.take_item_event,
    "response.output_item.done": _Collector.take_item_event,
    "response.function_call_arguments.delta": _Collector.take_arguments,
    "response.custom_tool_call_input.delta": _Collector.take_arguments,
    "response.refusal.delta": _Collector.take_refusal,
    "response.refusal.done": _Collector.take_refusal,
    **dict.fromkeys(_TERMINAL, _Collector.take_whole),
    "error": _Collector.take_error,
}
"""The events of which more is read than that there is content, by type."""
_READ_TYPES: Final = frozenset(name.encode() for name in _TAKERS)

RESPONSES: Final = Api(
    name="responses",
    provider="openai",
    read_question=_read_question,
    stream_reader=partial(StreamReader, _Collector),
    whole_reader=partial(WholeReader, _Collector),
    error_body=openai_error,
)
