"""A call as attributes of a span, and back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import orjson

from . import _names as names
from ._call import Call, Outcome, Timing, ToolCall, Usage, UsageSource
from ._otlp import SpanRecord

__all__ = ["call_attributes", "call_from_span", "is_call", "span_name"]

_NANOSECONDS: Final = 1_000_000_000
_LONGEST_JSON: Final = 128 * 1024
"""A list of headers or tool calls that takes more bytes is cut at an item: a line has a limit."""
_MODEL_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_OPERATIONS: Final = {"chat_completions": "chat"}
"""`gen_ai.operation.name` by API."""

_PLAIN: Final[Mapping[str, str]] = {
    names.CALL_SEQUENCE: "sequence",
    names.CALL_ATTEMPT: "attempt",
    names.CALL_OUTCOME: "outcome",
    names.ERROR_TYPE: "error_type",
    names.CALL_MESSAGE: "message",
    names.HTTP_METHOD: "method",
    names.URL_PATH: "path",
    names.URL_QUERY: "query",
    names.SERVER_ADDRESS: "server_address",
    names.SERVER_PORT: "server_port",
    names.HTTP_STATUS: "http_status",
    names.CALL_API: "api",
    names.PROVIDER: "provider",
    names.REQUEST_MODEL: "request_model",
    names.RESPONSE_MODEL: "response_model",
    names.RESPONSE_ID: "response_id",
    names.UPSTREAM_REQUEST_ID: "upstream_request_id",
    names.CONVERSATION_ID: "session_id",
    names.REQUEST_HASH: "request_hash",
    names.REQUEST_BODY_HASH: "request_body_hash",
    names.REQUEST_BYTES: "request_bytes",
    names.REQUEST_SENT_HASH: "sent_body_hash",
    names.REQUEST_SENT_BYTES: "sent_bytes",
    names.RESPONSE_BODY_HASH: "response_body_hash",
    names.RESPONSE_BYTES: "response_bytes",
    names.RESPONSE_DELIVERED_HASH: "delivered_body_hash",
    names.RESPONSE_DELIVERED_BYTES: "delivered_bytes",
    names.BODIES_LOST: "bodies_lost",
}
"""Attributes that hold a member of `Call` as it is."""

_TIMING: Final[Mapping[str, str]] = {
    names.AT_REQUEST_READ: "request_read",
    names.AT_UPSTREAM_SENT: "upstream_sent",
    names.AT_HEADERS: "headers",
    names.AT_FIRST_BYTE_IN: "first_byte_in",
    names.AT_FIRST_BYTE_OUT: "first_byte_out",
    names.AT_FIRST_CONTENT: "first_content",
    names.AT_LAST_BYTE: "last_byte",
    names.LARGEST_GAP: "largest_gap",
    names.STREAM_CHUNKS: "chunks",
}
_USAGE: Final[Mapping[str, str]] = {
    names.INPUT_TOKENS: "input_tokens",
    names.OUTPUT_TOKENS: "output_tokens",
    names.CACHE_READ_TOKENS: "cache_read_tokens",
    names.CACHE_CREATION_TOKENS: "cache_creation_tokens",
    names.REASONING_TOKENS: "reasoning_tokens",
    names.USAGE_REASON: "reason",
}


def span_name(call: Call) -> str:
    """The span's name as the conventions want it, such as `chat gpt-4o`; method and path for an API not known here."""
    if call.api is None:
        return f"{call.method} {call.path}"
    return f"{_OPERATIONS[call.api]} {call.request_model}" if call.request_model else _OPERATIONS[call.api]


def call_attributes(call: Call) -> dict[str, Any]:
    """The attributes of a call's span. What is None has none."""
    attributes: dict[str, Any] = {
        names.SPAN_KIND: names.CALL,
        names.RUN_ID: call.run_id,
        names.SESSION_ID: call.run_id,
        names.USAGE_SOURCE: call.usage.source,
    }
    for source, members in ((call, _PLAIN), (call.timing, _TIMING), (call.usage, _USAGE)):
        for name, member in members.items():
            value = getattr(source, member)
            if value is not None:
                attributes[name] = value
    if call.api is not None:
        attributes[names.OPERATION] = _OPERATIONS[call.api]
        attributes[names.OPENAI_API] = call.api
    sometimes = {
        names.REQUEST_STREAM: call.streamed,
        names.CALL_DISCARDED: call.discarded,
        names.FINISH_REASONS: call.finish_reasons,
    }
    attributes.update({name: value for name, value in sometimes.items() if value})
    for name, items in (
        (names.REQUEST_HEAD, call.request_head),
        (names.RESPONSE_HEAD, call.response_head),
        (names.TOOL_CALLS, call.tool_calls),
    ):
        if items:
            attributes[name] = _json_list(items)
    first_chunk = _time_to_first_chunk(call)
    if first_chunk is not None:
        attributes[names.TIME_TO_FIRST_CHUNK] = first_chunk
    return attributes


def _time_to_first_chunk(call: Call) -> float | None:
    """Seconds from the sending of a streamed request to the first chunk of its answer; None if there was none."""
    if not call.streamed or call.timing.first_byte_in is None or call.timing.upstream_sent is None:
        return None
    return (call.timing.first_byte_in - call.timing.upstream_sent) / _NANOSECONDS


def _json_list(items: Iterable[Any]) -> str:
    """A JSON list, without the items that would take it over `_LONGEST_JSON`."""
    text = orjson.dumps(items).decode()
    if len(text) <= _LONGEST_JSON:
        return text
    kept, size = [], 2
    for item in items:
        size += len(orjson.dumps(item)) + 1
        if size > _LONGEST_JSON:
            break
        kept.append(item)
    return orjson.dumps(kept).decode()


def is_call(span: SpanRecord) -> bool:
    """Whether a span is a model call: one of this project's, or any tool's span of a GenAI model operation."""
    kind = span.attributes.get(names.SPAN_KIND)
    return kind == names.CALL if kind is not None else span.attributes.get(names.OPERATION) in _MODEL_OPERATIONS


def call_from_span(span: SpanRecord, *, ended: bool = True) -> Call:
    """The call that a span records; `ended=False` for the announcement of one that has not ended.

    A span of another tool gives what it has: the rest is None.
    """
    attributes = span.attributes
    members = {member: attributes.get(name) for name, member in _PLAIN.items()}
    members["outcome"] = cast("Outcome", members["outcome"] or "completed")
    members["method"] = members["method"] or "POST"
    members["path"] = members["path"] or ""
    # A span of a call that was announced only has its own id: the call's is its parent's.
    return Call(
        **cast("dict[str, Any]", members),
        run_id=attributes.get(names.RUN_ID) or attributes.get(names.SESSION_ID) or span.trace_id,
        span_id=span.span_id if ended else span.parent_id or span.span_id,
        discarded=attributes.get(names.CALL_DISCARDED, False),
        streamed=attributes.get(names.REQUEST_STREAM, False),
        finish_reasons=tuple(attributes.get(names.FINISH_REASONS, ())),
        tool_calls=tuple(ToolCall(**item) for item in _parsed_list(attributes.get(names.TOOL_CALLS))),
        usage=_usage(attributes),
        timing=_timing(span, ended=ended),
        request_head=tuple((name, value) for name, value in _parsed_list(attributes.get(names.REQUEST_HEAD))),
        response_head=tuple((name, value) for name, value in _parsed_list(attributes.get(names.RESPONSE_HEAD))),
    )


def _usage(attributes: Mapping[str, Any]) -> Usage:
    counts = {member: attributes.get(name) for name, member in _USAGE.items()}
    told = counts["input_tokens"] is not None or counts["output_tokens"] is not None
    source = attributes.get(names.USAGE_SOURCE) or ("provider" if told else "absent")
    if source == "absent" and counts["reason"] is None:
        counts["reason"] = "the span has no usage"
    return Usage(source=cast("UsageSource", source), **cast("dict[str, Any]", counts))


def _timing(span: SpanRecord, *, ended: bool) -> Timing:
    stamps = {member: span.attributes.get(name) for name, member in _TIMING.items()}
    seconds = span.attributes.get(names.TIME_TO_FIRST_CHUNK)
    if stamps["first_byte_in"] is None and seconds is not None:
        stamps["first_byte_in"] = round(seconds * _NANOSECONDS)
    return Timing(start_ns=span.start_ns, end=span.end_ns - span.start_ns if ended else None, **stamps)


def _parsed_list(text: str | None) -> list[Any]:
    return cast("list[Any]", orjson.loads(text)) if text else []
