"""Anthropic Messages as a conversation.

A message is a list of blocks. The results of tools stand in the user's message, each is a message of its own here, as in the
other dialects; what runs at the provider (`server_tool_use`) is nothing that the agent is asked to do, and stands in the
text as other parts do.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ._dialect import Dialect, UnreadableError
from ._members import list_of, object_of, text_of
from ._turn import Message, ToolInvocation

__all__ = ["MESSAGES"]

_PIECES: Final[Mapping[str, tuple[str, str]]] = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "partial_json"),
}
"""By the type of a delta: its member, and that of the block that it belongs to."""

Block = dict[str, Any]


def _entries(request: dict[str, Any]) -> list[Any]:
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise UnreadableError("it has no messages")
    system = request.get("system")
    return [{"role": "system", "content": system}, *messages] if system else messages


def _tools(request: dict[str, Any]) -> tuple[str, ...]:
    tools = [object_of(tool) for tool in list_of(request.get("tools"))]
    return tuple(text_of(tool.get("name") or tool.get("type")) for tool in tools)


def _messages(entry: Any) -> tuple[Message, ...]:
    said = object_of(entry)
    role = text_of(said.get("role")) or "user"
    found: list[Message] = []
    others: list[Block] = []
    for block in _blocks(said.get("content")):
        if block.get("type") == "tool_result":
            if others:
                found.append(_message(role, others))
                others = []
            found.append(_result(block))
        else:
            others.append(block)
    return (*found, _message(role, others)) if others or not found else tuple(found)


def _result(block: Block) -> Message:
    told = _message("tool", _blocks(block.get("content")))
    return Message(role="tool", text=told.text, tool_call_id=text_of(block.get("tool_use_id")) or None)


def _message(role: str, blocks: Iterable[Block]) -> Message:
    texts, thoughts, calls = [], [], []
    for block in blocks:
        kind = text_of(block.get("type"))
        if kind == "text":
            texts.append(text_of(block.get("text")))
        elif kind == "thinking":
            thoughts.append(text_of(block.get("thinking")))
        elif kind == "tool_use":
            calls.append(_invocation(block))
        elif not kind.endswith("tool_result") and kind != "redacted_thinking":
            texts.append(f"[{text_of(block.get('name')) or kind}]")
    return Message(
        role=role, text="\n".join(texts), reasoning="\n".join(filter(None, thoughts)) or None, tool_calls=tuple(calls)
    )


def _invocation(block: Block) -> ToolInvocation:
    pieces = block.get("partial_json")
    told = block.get("input")
    return ToolInvocation(
        id=text_of(block.get("id")) or None,
        name=text_of(block.get("name")),
        arguments=pieces or (told if isinstance(told, str) else json.dumps(told or {})),
    )


def _blocks(content: Any) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in list_of(content) if isinstance(block, dict)]


def _whole_answer(answer: dict[str, Any]) -> tuple[Message, ...]:
    return (_message("assistant", _blocks(answer["content"])),) if "content" in answer else ()


def _streamed_answer(events: Iterable[Any]) -> tuple[Message, ...]:
    begun = False
    blocks: dict[int, Block] = {}
    pieces: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for event in map(object_of, events):
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start":
            begun = True
            blocks = dict(enumerate(_blocks(object_of(event.get("message")).get("content"))))
        elif kind == "content_block_start":
            begun = True
            blocks[index if type(index) is int else len(blocks)] = dict(object_of(event.get("content_block")))
        elif kind == "content_block_delta" and blocks:
            delta = object_of(event.get("delta"))
            if names := _PIECES.get(text_of(delta.get("type"))):
                place = index if type(index) is int else max(blocks)
                pieces[place, names[1]].append(text_of(delta.get(names[0])))
    for (place, member), told in pieces.items():
        if place in blocks:
            blocks[place][member] = text_of(blocks[place].get(member)) + "".join(told)
    return (_message("assistant", (block for _, block in sorted(blocks.items()))),) if begun else ()


MESSAGES: Final = Dialect(
    entries=_entries,
    messages=_messages,
    tools=_tools,
    whole_answer=_whole_answer,
    streamed_answer=_streamed_answer,
)
