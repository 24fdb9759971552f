"""OpenAI Chat Completions as a conversation, with what its dialects add: reasoning, parts, tool calls without an index."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ._dialect import Dialect, UnreadableError
from ._members import list_of, object_of, text_of
from ._turn import Message, ToolInvocation

__all__ = ["CHAT_COMPLETIONS"]

_ROLES: Final[Mapping[str, str]] = {"developer": "system", "function": "tool"}
"""Older and newer names of the same."""
_MEMBERS: Final = frozenset({"content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call"})
"""Of a message or a delta, that say something."""


def _entries(request: dict[str, Any]) -> list[Any]:
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise UnreadableError("it has no messages")
    return messages


def _tools(request: dict[str, Any]) -> tuple[str, ...]:
    tools = [object_of(tool) for tool in list_of(request.get("tools"))]
    names = [object_of(tool.get("function") or tool.get("custom")).get("name") or tool.get("type") for tool in tools]
    names += [object_of(function).get("name") for function in list_of(request.get("functions"))]
    return tuple(map(text_of, names))


def _messages(entry: Any) -> tuple[Message, ...]:
    said = object_of(entry)
    role = text_of(said.get("role")) or "user"
    parts = _Parts()
    parts.take(said)
    return (parts.message(_ROLES.get(role, role), text_of(said.get("tool_call_id") or said.get("name")) or None),)


def _whole_answer(answer: dict[str, Any]) -> tuple[Message, ...]:
    return _streamed_answer((answer,))


def _streamed_answer(events: Iterable[Any]) -> tuple[Message, ...]:
    choices: dict[int, _Parts] = {}
    for event in events:
        for position, choice in enumerate(list_of(object_of(event).get("choices"))):
            told = object_of(choice)
            index = told.get("index")
            index = index if type(index) is int else position
            if index not in choices:
                choices[index] = _Parts()
            choices[index].take(object_of(told.get("delta") or told.get("message")))
    return tuple(parts.message("assistant") for _, parts in sorted(choices.items()))


class _Parts:
    """What a message says, gathered from its deltas or from the whole of it."""

    __slots__ = ("_calls", "_latest", "_told")

    def __init__(self) -> None:
        self._told: dict[str, list[str]] = {}
        """Pieces of text, by the member that tells them."""
        self._calls: list[dict[str, str]] = []
        self._latest: dict[int | None, dict[str, str]] = {}
        """The latest tool call by the index that its deltas tell; under None the latest of all."""

    def take(self, said: Mapping[str, Any]) -> None:
        """Take a delta, or a whole message."""
        for member, value in said.items():
            if value and member in _MEMBERS:
                if type(value) is str:
                    self._tell(member, value)
                elif member == "content":
                    self._take_parts(list_of(value))
                elif member == "tool_calls":
                    for call in list_of(value):
                        self._take_call(object_of(call))
                elif member == "function_call":
                    self._take_call({"function": value, "index": -1})

    def _tell(self, member: str, text: str) -> None:
        if member in self._told:
            self._told[member].append(text)
        else:
            self._told[member] = [text]

    def _take_parts(self, content: list[Any]) -> None:
        texts = []
        for part in map(object_of, content):
            kind = text_of(part.get("type")) or "text"
            if kind == "text":
                texts.append(text_of(part.get("text")))
            elif kind == "refusal":
                self._tell("refusal", text_of(part.get("refusal")))
            elif kind == "thinking":
                for thought in list_of(part.get("thinking")):
                    self._tell("reasoning", text_of(object_of(thought).get("text")))
            else:
                texts.append(f"[{kind.removesuffix('_url').removeprefix('input_')}]")
        self._tell("content", "\n".join(texts))

    def _take_call(self, told: Mapping[str, Any]) -> None:
        function = object_of(told.get("function") or told.get("custom"))
        call_id, name, index = told.get("id"), function.get("name"), told.get("index")
        index = index if type(index) is int else None
        call = self._latest.get(index)
        if call is None or ((call_id or name) and _begins_another(call, index, text_of(call_id), text_of(name))):
            call = {"id": "", "name": "", "arguments": ""}
            self._calls.append(call)
            self._latest[index] = call
        self._latest[None] = call
        call["id"] = call["id"] or text_of(call_id)
        call["name"] = call["name"] or text_of(name)
        arguments = function.get("arguments") or function.get("input")
        if arguments:
            call["arguments"] += arguments if type(arguments) is str else json.dumps(arguments)

    def message(self, role: str, tool_call_id: str | None = None) -> Message:
        """What was gathered."""
        told = {member: "".join(pieces) for member, pieces in self._told.items()}
        return Message(
            role=role,
            text=told.get("content", ""),
            # Servers that tell it in both tell the same.
            reasoning=told.get("reasoning_content") or told.get("reasoning") or None,
            refusal=told.get("refusal") or None,
            tool_calls=tuple(
                ToolInvocation(id=call["id"] or None, name=call["name"], arguments=call["arguments"])
                for call in self._calls
            ),
            tool_call_id=tool_call_id if role == "tool" else None,
        )


def _begins_another(call: dict[str, str], index: int | None, call_id: str, name: str) -> bool:
    """Whether a delta begins a tool call of its own. Some servers tell no index, some tell 0 for all calls."""
    another_id = bool(call_id) and call_id != call["id"]
    if index is None:
        return another_id or (not call_id and bool(name) and bool(call["name"]))
    return another_id and bool(name) and bool(call["id"])


CHAT_COMPLETIONS: Final = Dialect(
    entries=_entries,
    messages=_messages,
    tools=_tools,
    whole_answer=_whole_answer,
    streamed_answer=_streamed_answer,
)
