"""OpenAI Chat Completions: what a request asks and what an answer says, streamed or whole.

Read leniently: dialects put usage into the last choice, send it with every chunk, leave out tool call indexes, or add
members of their own. Token counts are cumulative in all of them: the last one told counts, none are added up.
"""

from functools import partial
from typing import Any, Final

from ...traces import ToolCall
from ._answer import Answer, Api, Question, TokenCounts
from ._members import count_of, counts_of, error_of, object_of, objects_of, parsed_object, text_of, utf8_length
from ._openai_errors import openai_error
from ._readers import StreamReader, WholeReader
from ._sse import event_data, event_type

__all__ = ["CHAT_COMPLETIONS", "ChatCollector"]

_TERMINAL: Final = b"[DONE]"
_CONTENT_MEMBERS: Final = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
)
_REFUSING: Final = "content_filter"
_TOKEN_MEMBERS: Final = {
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "cache_read_tokens": ("prompt_tokens_details", "cached_tokens"),
    "cache_creation_tokens": ("prompt_tokens_details", "cache_write_tokens"),
    "reasoning_tokens": ("completion_tokens_details", "reasoning_tokens"),
}


def _read_question(body: bytes) -> Question:
    """What a request asks for; of a body that is no JSON object nothing is known."""
    parsed = parsed_object(body)
    if parsed is None:
        return Question()
    streamed = parsed.get("stream") is True
    options = parsed.get("stream_options")
    usage_told_of = options is not None and (not isinstance(options, dict) or "include_usage" in options)
    return Question(
        model=text_of(parsed.get("model")),
        streamed=streamed,
        parsed=parsed,
        wants_usage_asked_for=streamed and not usage_told_of,
    )


class ChatCollector:
    """Gathers what the objects of an answer say: chunks, or the whole answer."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.has_content = False
        self.ended = False
        self._id: str | None = None
        self._model: str | None = None
        self._finish_reasons: dict[int, str] = {}
        self._tool_calls: dict[tuple[int, int], dict[str, Any]] = {}
        self._places: dict[tuple[int, int | None], int] = {}
        """The latest tool call of a choice, by the index that its deltas tell; under None the latest of all."""
        self._tokens: dict[str, int] = {}
        self._refused = False
        self._service_tier: str | None = None
        self._system_fingerprint: str | None = None
        self._error: tuple[str | None, str | None] = (None, None)

    def take_event(self, event: bytes) -> None:
        """Take a chunk, the terminal event or an error."""
        data = event_data(event)
        if data is None:
            return
        if data.strip() == _TERMINAL:
            self.ended = True
            return
        said = parsed_object(data)
        if said is None:
            return
        if b"error" in event and event_type(event) == b"error" and "error" not in said:
            said = {"error": said}
        self.take_whole(said)
        # What clients make of an error is an exception: they look no further.
        self.ended = self._error != (None, None)

    def take_begun(self, event: bytes) -> None:
        """Look for the terminal event."""
        self.ended = event_data(event) == _TERMINAL

    def take_whole(self, said: dict[str, Any]) -> None:
        """Take one object: a chunk, or the whole answer."""
        self._id = text_of(said.get("id")) or self._id
        self._model = text_of(said.get("model")) or self._model
        self._service_tier = text_of(said.get("service_tier")) or self._service_tier
        self._system_fingerprint = text_of(said.get("system_fingerprint")) or self._system_fingerprint
        if said.get("error"):
            self._error = error_of(said["error"])
        self._take_usage(said.get("usage"))
        choices = said.get("choices")
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict):
                self._take_choice(choice, position)

    def _take_choice(self, choice: dict[str, Any], position: int) -> None:
        index = count_of(choice.get("index"))
        index = position if index is None else index
        said = object_of(choice.get("delta") or choice.get("message"))
        if not self.has_content:
            self.has_content = bool(choice.get("text")) or any(said.get(member) for member in _CONTENT_MEMBERS)
        if said.get("refusal"):
            self._refused = True
        if reason := text_of(choice.get("finish_reason")):
            self._finish_reasons[index] = reason
        self._take_usage(choice.get("usage"))
        for call in objects_of(said.get("tool_calls")):
            self._take_tool_call(index, call)

    def _take_tool_call(self, choice: int, call: dict[str, Any]) -> None:
        function = object_of(call.get("function"))
        call_id, name, arguments = text_of(call.get("id")), text_of(function.get("name")), function.get("arguments")
        place = self._place_of(choice, count_of(call.get("index")), call_id, name)
        known = self._tool_calls.setdefault((choice, place), {"id": None, "name": None, "arguments_bytes": 0})
        known["id"] = known["id"] or call_id
        known["name"] = known["name"] or name
        known["arguments_bytes"] += utf8_length(arguments)

    def _place_of(self, choice: int, index: int | None, call_id: str | None, name: str | None) -> int:
        """The place of the tool call that a delta goes on with, or of the one that it begins."""
        place = self._places.get((choice, index))
        if place is None or _begins_another(self._tool_calls[choice, place], index, call_id, name):
            taken = [known for owner, known in self._tool_calls if owner == choice]
            place = max(taken, default=-1) + 1 if index is None or index in taken else index
        self._places[choice, index] = self._places[choice, None] = place
        return place

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self._tokens.update(counts_of(usage, _TOKEN_MEMBERS))

    def answer(self) -> Answer:
        """What was said so far."""
        error_type, message = self._error
        reasons = tuple(reason for _, reason in sorted(self._finish_reasons.items()))
        return Answer(
            response_id=self._id,
            model=self._model,
            finish_reasons=reasons,
            tool_calls=tuple(
                ToolCall(choice=choice, index=index, **known)
                for (choice, index), known in sorted(self._tool_calls.items(), key=lambda item: item[0])
            ),
            tokens=TokenCounts(**self._tokens) if self._tokens else None,
            refused=self._refused or _REFUSING in reasons,
            service_tier=self._service_tier,
            system_fingerprint=self._system_fingerprint,
            error_type=error_type,
            message=message,
        )


def _begins_another(known: dict[str, Any], index: int | None, call_id: str | None, name: str | None) -> bool:
    """Whether a delta begins a tool call of its own. Some servers tell no index, some tell 0 for all calls."""
    other_id = call_id is not None and call_id != known["id"]
    if index is None:
        return other_id or (call_id is None and name is not None and known["name"] is not None)
    return other_id and name is not None and known["id"] is not None


CHAT_COMPLETIONS: Final = Api(
    name="chat_completions",
    provider="openai",
    read_question=_read_question,
    stream_reader=partial(StreamReader, ChatCollector),
    whole_reader=partial(WholeReader, ChatCollector),
    error_body=openai_error,
)
