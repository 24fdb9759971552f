"""OpenAI Responses as a conversation.

What a model says is a row of items: reasoning, messages, tool calls. Those that stand in a row are one message here, as in the
other dialects. What runs at the provider (`web_search_call`) is nothing that the agent is asked to do, and stands in the text
as other parts do.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

from ._dialect import Dialect, UnreadableError
from ._members import list_of, object_of, text_of
from ._response_items import Items
from ._turn import Message, ToolInvocation

__all__ = ["RESPONSES"]

_ARGUMENTS: Final[Mapping[str, str]] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
    "tool_search_call": "arguments",
}
"""The items that ask the agent to run a tool, and where its arguments stand."""
_CALL: Final = "_call"
_RESULT: Final = "_output"
_ROLES: Final[Mapping[str, str]] = {"developer": "system"}
_SHELL_STREAMS: Final = ("stdout", "stderr")


def _entries(request: dict[str, Any]) -> list[Any]:
    """The instructions, and the items; items of the model's in a row are one entry, a list."""
    asked = request.get("input")
    if isinstance(asked, str):
        asked = [{"role": "user", "content": asked}]
    if not isinstance(asked, list):
        raise UnreadableError("it has no input")
    entries: list[Any] = []
    if instructions := request.get("instructions"):
        entries.append({"role": "system", "content": instructions})
    for is_said, group in groupby(asked, _is_said_by_model):
        items = list(group)
        entries += [items] if is_said else items
    return entries


def _is_said_by_model(item: Any) -> bool:
    told = object_of(item)
    kind = text_of(told.get("type"))
    return told.get("role") == "assistant" or kind == "reasoning" or kind.endswith(_CALL)


def _tools(request: dict[str, Any]) -> tuple[str, ...]:
    tools = [object_of(tool) for tool in list_of(request.get("tools"))]
    return tuple(text_of(tool.get("name") or tool.get("type")) for tool in tools)


def _messages(entry: Any) -> tuple[Message, ...]:
    if isinstance(entry, list):
        return (_said_by_model(entry),)
    item = object_of(entry)
    kind = text_of(item.get("type"))
    if kind.endswith(_RESULT):
        call_id = text_of(item.get("call_id") or item.get("id")) or None
        return (Message(role="tool", text=_result(item.get("output")), tool_call_id=call_id),)
    if kind == "item_reference":
        return ()  # said before, and known to the provider alone
    role = text_of(item.get("role")) or "user"
    text = _content(item.get("content"))[0] if "content" in item else f"[{kind}]"
    return (Message(role=_ROLES.get(role, role), text=text),)


def _said_by_model(items: Iterable[Any]) -> Message:
    texts, refusals, thoughts, calls = [], [], [], []
    for item in map(object_of, items):
        kind = text_of(item.get("type"))
        if kind == "reasoning":
            thoughts.append(_content(item.get("content"))[0] or _content(item.get("summary"))[0])
        elif kind in _ARGUMENTS and item.get("execution") != "server":
            calls.append(_invocation(item, kind))
        elif kind.endswith(_CALL):
            texts.append(f"[{kind.removesuffix(_CALL)}]")
        else:
            text, refusal = _content(item.get("content"))
            texts.append(text)
            refusals.append(refusal)
    return Message(
        role="assistant",
        text="\n".join(filter(None, texts)),
        reasoning="\n".join(filter(None, thoughts)) or None,
        refusal="\n".join(filter(None, refusals)) or None,
        tool_calls=tuple(calls),
    )


def _invocation(item: Mapping[str, Any], kind: str) -> ToolInvocation:
    told = item.get(_ARGUMENTS[kind])
    return ToolInvocation(
        id=text_of(item.get("call_id") or item.get("id")) or None,
        name=text_of(item.get("name")) or kind.removesuffix(_CALL),
        arguments=told if isinstance(told, str) else json.dumps(told or {}),
    )


def _content(content: Any) -> tuple[str, str]:
    """The text of a message or a summary, and its refusal."""
    if isinstance(content, str):
        return content, ""
    texts, refusals = [], []
    for part in map(object_of, list_of(content)):
        kind = text_of(part.get("type"))
        if kind == "refusal":
            refusals.append(text_of(part.get("refusal")))
        elif "text" in part:
            texts.append(text_of(part.get("text")))
        else:
            texts.append(f"[{kind.removeprefix('input_')}]")
    return "\n".join(texts), "\n".join(refusals)


def _result(output: Any) -> str:
    """What a tool gave: a text, parts as in a message, or what a shell printed."""
    pieces = [piece for piece in list_of(output) if isinstance(piece, dict)]
    if any(stream in piece for piece in pieces for stream in _SHELL_STREAMS):
        return "\n".join(
            text_of(piece.get(stream)) for piece in pieces for stream in _SHELL_STREAMS if piece.get(stream)
        )
    if isinstance(output, dict):
        return f"[{text_of(output.get('type')).removeprefix('input_')}]"
    return _content(output)[0]


def _whole_answer(answer: dict[str, Any]) -> tuple[Message, ...]:
    items = list_of((object_of(answer.get("response")) or answer).get("output"))
    return (_said_by_model(items),) if items else ()


def _streamed_answer(events: Iterable[Any]) -> tuple[Message, ...]:
    gathered = Items()
    for event in map(object_of, events):
        gathered.take(event)
    items = gathered.told()
    return (_said_by_model(items),) if items else ()


RESPONSES: Final = Dialect(
    entries=_entries,
    messages=_messages,
    tools=_tools,
    whole_answer=_whole_answer,
    streamed_answer=_streamed_answer,
)
