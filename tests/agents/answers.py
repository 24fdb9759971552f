"""What a model says by rule, and how each API says it: an answer in, events or one object out."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Event = tuple[str | None, dict[str, Any] | str]
"""Its type, if the API tells one in a line of its own, and its data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts as the conventions count them."""

    input_tokens: int
    """Cached ones included."""
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A text, or one tool call with a word before it."""

    number: int
    model: str
    text: str
    tool: str | None
    arguments: str
    usage: Usage

    @property
    def tool_id(self) -> str:
        return f"call_{self.number}"


def pieces(text: str, size: int = 7) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def chat_usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def chat_whole(answer: Answer, _: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.tool:
        function = {"name": answer.tool, "arguments": answer.arguments}
        message["tool_calls"] = [{"id": answer.tool_id, "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if answer.tool else "stop"}
    return {
        "id": f"chatcmpl-{answer.number}",
        "object": "chat.completion",
        "created": 1,
        "model": answer.model,
        "choices": [choice],
        "usage": chat_usage(answer.usage),
    }


def chat_events(answer: Answer, request: Mapping[str, Any]) -> Iterator[Event]:
    head = {"id": f"chatcmpl-{answer.number}", "object": "chat.completion.chunk", "created": 1, "model": answer.model}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces(answer.text)]
    if answer.tool:
        begun = {"name": answer.tool, "arguments": ""}
        deltas.append({"tool_calls": [{"index": 0, "id": answer.tool_id, "type": "function", "function": begun}]})
        for piece in pieces(answer.arguments):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    for delta in deltas:
        yield None, {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    reason = "tool_calls" if answer.tool else "stop"
    yield None, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield None, {**head, "choices": [], "usage": chat_usage(answer.usage)}
    yield None, "[DONE]"


def _response(answer: Answer, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    usage = answer.usage
    told = {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    return {
        "id": f"resp_{answer.number}",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": answer.model,
        "output": output,
        "usage": told if status == "completed" else None,
        "error": None,
        "incomplete_details": None,
    }


def _items(answer: Answer) -> list[dict[str, Any]]:
    text = {"type": "output_text", "text": answer.text, "annotations": []}
    message = {"type": "message", "role": "assistant", "status": "completed", "content": [text]}
    items: list[dict[str, Any]] = [{"id": f"msg_{answer.number}", **message}]
    if answer.tool:
        call = {"type": "function_call", "status": "completed", "call_id": answer.tool_id, "name": answer.tool}
        items.append({"id": f"fc_{answer.number}", **call, "arguments": answer.arguments})
    return items


def responses_whole(answer: Answer, _: Mapping[str, Any]) -> dict[str, Any]:
    return _response(answer, "completed", _items(answer))


def responses_events(answer: Answer, _: Mapping[str, Any]) -> Iterator[Event]:
    for number, (kind, said) in enumerate(_responses_events(answer)):
        yield kind, {"type": kind, "sequence_number": number, **said}


def _responses_events(answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "response.created", {"response": _response(answer, "in_progress", [])}
    yield "response.in_progress", {"response": _response(answer, "in_progress", [])}
    for place, item in enumerate(_items(answer)):
        at = {"output_index": place, "item_id": item["id"]}
        begun = {**item, "status": "in_progress", ("content" if "content" in item else "arguments"): []}
        begun |= {} if "content" in item else {"arguments": ""}
        yield "response.output_item.added", {"output_index": place, "item": begun}
        if item["type"] == "message":
            yield from _text_events(answer.text, {**at, "content_index": 0})
        else:
            for piece in pieces(answer.arguments):
                yield "response.function_call_arguments.delta", {**at, "delta": piece}
            yield "response.function_call_arguments.done", {**at, "arguments": answer.arguments}
        yield "response.output_item.done", {"output_index": place, "item": item}
    yield "response.completed", {"response": _response(answer, "completed", _items(answer))}


def _text_events(text: str, at: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    part = {"type": "output_text", "annotations": []}
    yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
    for piece in pieces(text):
        yield "response.output_text.delta", {**at, "delta": piece}
    yield "response.output_text.done", {**at, "text": text}
    yield "response.content_part.done", {**at, "part": {**part, "text": text}}


def _message_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": 0,
    }


def _message(answer: Answer, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.number}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def messages_whole(answer: Answer, _: Mapping[str, Any]) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}]
    if answer.tool:
        call = {"type": "tool_use", "id": answer.tool_id, "name": answer.tool}
        content.append({**call, "input": json.loads(answer.arguments)})
    usage = {**_message_usage(answer.usage), "output_tokens": answer.usage.output_tokens}
    return {**_message(answer, content, usage), "stop_reason": "tool_use" if answer.tool else "end_turn"}


def messages_events(answer: Answer, _: Mapping[str, Any]) -> Iterator[Event]:
    for kind, said in _messages_events(answer):
        yield kind, {"type": kind, **said}


def _messages_events(answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "message_start", {"message": _message(answer, [], {**_message_usage(answer.usage), "output_tokens": 1})}
    yield "ping", {}
    yield "content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}
    for piece in pieces(answer.text):
        yield "content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield "content_block_stop", {"index": 0}
    if answer.tool:
        block = {"type": "tool_use", "id": answer.tool_id, "name": answer.tool, "input": {}}
        yield "content_block_start", {"index": 1, "content_block": block}
        for piece in pieces(answer.arguments):
            yield "content_block_delta", {"index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}
        yield "content_block_stop", {"index": 1}
    reason = {"stop_reason": "tool_use" if answer.tool else "end_turn", "stop_sequence": None}
    yield "message_delta", {"delta": reason, "usage": {"output_tokens": answer.usage.output_tokens}}
    yield "message_stop", {}


Whole = Callable[[Answer, Mapping[str, Any]], dict[str, Any]]
Events = Callable[[Answer, Mapping[str, Any]], Iterator[Event]]
APIS: dict[str, tuple[Whole, Events]] = {
    "/chat/completions": (chat_whole, chat_events),
    "/responses": (responses_whole, responses_events),
    "/messages": (messages_whole, messages_events),
}
"""By the end of the path."""
