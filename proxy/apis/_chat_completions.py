"""OpenAI Chat Completions: what a request asks and what an answer says, streamed or whole.

Read leniently: dialects put usage into the last choice, send it with every chunk, leave out tool call indexes, or add
members of their own. Token counts are cumulative in all of them: the last one told counts, none are added up.
"""

from typing import Any, Final

import orjson

from ...traces import ToolCall
from ._answer import Answer, Api, Question, TokenCounts
from ._sse import EventSplitter, event_data, event_type

__all__ = ["CHAT_COMPLETIONS"]

_TERMINAL: Final = b"[DONE]"
_LONGEST_TERMINAL_EVENT: Final = 64
_LONGEST_TEXT: Final = 4096
"""Characters of a name or a message. Some servers tell the whole request in an error's message."""
_CONTENT_MEMBERS: Final = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
)
_TOKEN_MEMBERS: Final = {
    "input_tokens": ("prompt_tokens",),
    "output_tokens": ("completion_tokens",),
    "cache_read_tokens": ("prompt_tokens_details", "cached_tokens"),
    "reasoning_tokens": ("completion_tokens_details", "reasoning_tokens"),
}


def _read_question(body: bytes) -> Question:
    """What a request asks for; of a body that is no JSON object nothing is known."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        return Question()
    streamed = parsed.get("stream") is True
    options = parsed.get("stream_options")
    usage_told_of = options is not None and (not isinstance(options, dict) or "include_usage" in options)
    return Question(
        model=_text(parsed.get("model")),
        streamed=streamed,
        parsed=parsed,
        wants_usage_asked_for=streamed and not usage_told_of,
    )


class _Collector:
    """Gathers what the objects of an answer say."""

    def __init__(self) -> None:
        self.has_content = False
        self._id: str | None = None
        self._model: str | None = None
        self._finish_reasons: dict[int, str] = {}
        self._tool_calls: dict[tuple[int, int], dict[str, Any]] = {}
        self._places: dict[tuple[int, int | None], int] = {}
        """The latest tool call of a choice, by the index that its deltas tell; under None the latest of all."""
        self._tokens: dict[str, int] = {}
        self._error: dict[str, Any] | None = None

    def take(self, said: Any) -> None:
        """Take one object: a chunk, or the whole answer."""
        if not isinstance(said, dict):
            return
        self._id = _text(said.get("id")) or self._id
        self._model = _text(said.get("model")) or self._model
        if said.get("error"):
            error = said["error"]
            self._error = error if isinstance(error, dict) else {"message": str(error)}
        self._take_usage(said.get("usage"))
        choices = said.get("choices")
        for position, choice in enumerate(choices if isinstance(choices, list) else ()):
            if isinstance(choice, dict):
                self._take_choice(choice, position)

    def _take_choice(self, choice: dict[str, Any], position: int) -> None:
        index = _count(choice.get("index"))
        index = position if index is None else index
        said = _object(choice.get("delta") or choice.get("message"))
        if not self.has_content:
            self.has_content = bool(choice.get("text")) or any(said.get(member) for member in _CONTENT_MEMBERS)
        if reason := _text(choice.get("finish_reason")):
            self._finish_reasons[index] = reason
        self._take_usage(choice.get("usage"))
        calls = said.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._take_tool_call(index, call)

    def _take_tool_call(self, choice: int, call: dict[str, Any]) -> None:
        function = _object(call.get("function"))
        call_id, name, arguments = _text(call.get("id")), _text(function.get("name")), function.get("arguments")
        place = self._place_of(choice, _count(call.get("index")), call_id, name)
        known = self._tool_calls.setdefault((choice, place), {"id": None, "name": None, "arguments_bytes": 0})
        known["id"] = known["id"] or call_id
        known["name"] = known["name"] or name
        if isinstance(arguments, str):
            known["arguments_bytes"] += len(arguments.encode("utf-8", "replace"))

    def _place_of(self, choice: int, index: int | None, call_id: str | None, name: str | None) -> int:
        """The place of the tool call that a delta goes on with, or of the one that it begins."""
        place = self._places.get((choice, index))
        if place is None or _begins_another(self._tool_calls[choice, place], index, call_id, name):
            taken = [known for owner, known in self._tool_calls if owner == choice]
            place = max(taken, default=-1) + 1 if index is None or index in taken else index
        self._places[choice, index] = self._places[choice, None] = place
        return place

    def _take_usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        for name, path in _TOKEN_MEMBERS.items():
            value: Any = usage
            for member in path:
                value = _object(value).get(member)
            if (count := _count(value)) is not None:
                self._tokens[name] = count

    def answer(self) -> Answer:
        error = self._error
        return Answer(
            response_id=self._id,
            model=self._model,
            finish_reasons=tuple(reason for _, reason in sorted(self._finish_reasons.items())),
            tool_calls=tuple(
                ToolCall(choice=choice, index=index, **known)
                for (choice, index), known in sorted(self._tool_calls.items(), key=lambda item: item[0])
            ),
            tokens=TokenCounts(**self._tokens) if self._tokens else None,
            error_type=None if error is None else _text(str(error.get("code") or error.get("type") or "error")),
            message=None if error is None else _text(error.get("message")),
        )


def _begins_another(known: dict[str, Any], index: int | None, call_id: str | None, name: str | None) -> bool:
    """Whether a delta begins a tool call of its own. Some servers tell no index, some tell 0 for all calls."""
    other_id = call_id is not None and call_id != known["id"]
    if index is None:
        return other_id or (call_id is None and name is not None and known["name"] is not None)
    return other_id and name is not None and known["id"] is not None


class _StreamReader:
    def __init__(self) -> None:
        self._events = EventSplitter()
        self._collector = _Collector()
        self.ended = False

    @property
    def has_content(self) -> bool:
        return self._collector.has_content

    def feed(self, data: bytes) -> None:
        for event in self._events.feed(data):
            self._take(event)
        # An agent may act on the line before the blank one that ends the event.
        begun = self._events.begun(_LONGEST_TERMINAL_EVENT)
        if begun and event_data(begun) == _TERMINAL:
            self.ended = True

    def _take(self, event: bytes) -> None:
        data = event_data(event)
        if data is None:
            return
        if data.strip() == _TERMINAL:
            self.ended = True
            return
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            return
        if b"error" in event and event_type(event) == b"error" and "error" not in _object(said):
            said = {"error": said}
        self._collector.take(said)

    def finish(self) -> Answer:
        self._take(self._events.flush())
        return self._collector.answer()


class _WholeReader:
    """Nothing can be told before the last byte, so nothing is read before."""

    ended = False
    has_content = False

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        self._body += data

    def finish(self) -> Answer:
        collector = _Collector()
        try:
            collector.take(orjson.loads(bytes(self._body)))
        except orjson.JSONDecodeError:
            return Answer()
        return collector.answer()


def _text(value: Any) -> str | None:
    return value[:_LONGEST_TEXT] if isinstance(value, str) and value else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


CHAT_COMPLETIONS: Final = Api(
    name="chat_completions",
    provider="openai",
    read_question=_read_question,
    stream_reader=_StreamReader,
    whole_reader=_WholeReader,
)
