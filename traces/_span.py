"""A call as attributes of a span, and back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import orjson

from . import _names as names
from ._call import Amendment, Call, CallRequest, CallResponse, Timing, ToolCall, Tunnel, Usage, UsageSource
from ._otlp import SpanRecord, clean_text

__all__ = [
    "amendment_attributes",
    "call_attributes",
    "call_from_span",
    "hash_pairs",
    "is_call",
    "is_recorded",
    "masked_bodies",
    "request_attributes",
    "span_name",
]

_NANOSECONDS: Final = 1_000_000_000
_WEBSOCKET: Final = "websocket"
_LONGEST_JSON: Final = 128 * 1024
"""A list of headers or tool calls that takes more bytes is cut at an item: a line has a limit."""
_MODEL_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
_OPERATIONS: Final[Mapping[str, str]] = {
    "chat_completions": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
"""`gen_ai.operation.name` by API. What makes no model work (`count_tokens`, `models`) is no such operation."""
_OPENAI_APIS: Final = frozenset({"chat_completions", "responses"})
"""The values that `openai.api.type` has."""
_OPENAI: Final = "openai"

_CALL: Final[Mapping[str, str]] = {
    names.RUN_ID: "run_id",
    names.CALL_SEQUENCE: "sequence",
    names.CALL_ATTEMPT: "attempt",
    names.CALL_RETRY_OF: "retry_of",
    names.CALL_OUTCOME: "outcome",
    names.ERROR_TYPE: "error_type",
    names.CALL_MESSAGE: "message",
    names.REQUEST_HASH: "request_hash",
    names.BODIES_LOST: "bodies_lost",
}
"""Attributes that hold a member as it is, here and below."""
_REQUEST: Final[Mapping[str, str]] = {
    names.HTTP_METHOD: "method",
    names.URL_PATH: "path",
    names.URL_QUERY: "query",
    names.SERVER_ADDRESS: "server_address",
    names.SERVER_PORT: "server_port",
    names.CALL_API: "api",
    names.CALL_TUNNEL: "tunnel_id",
    names.PROVIDER: "provider",
    names.REQUEST_MODEL: "model",
    names.CONVERSATION_ID: "session_id",
    names.REQUEST_PREVIOUS_RESPONSE: "previous_response_id",
    names.REQUEST_BODY_HASH: "body_hash",
    names.REQUEST_BYTES: "bytes",
    names.REQUEST_SENT_HASH: "sent_body_hash",
    names.REQUEST_SENT_BYTES: "sent_bytes",
    names.REQUEST_UNREAD: "unread",
    names.REQUEST_HEAD: "head",
}
_RESPONSE: Final[Mapping[str, str]] = {
    names.HTTP_STATUS: "status",
    names.RESPONSE_MODEL: "model",
    names.RESPONSE_ID: "id",
    names.OPENAI_FINGERPRINT: "system_fingerprint",
    names.UPSTREAM_REQUEST_ID: "upstream_request_id",
    names.RESPONSE_BODY_HASH: "body_hash",
    names.RESPONSE_BYTES: "bytes",
    names.RESPONSE_DELIVERED_HASH: "delivered_body_hash",
    names.RESPONSE_DELIVERED_BYTES: "delivered_bytes",
    names.RESPONSE_HEAD: "head",
}
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
_TUNNEL: Final[Mapping[str, str]] = {
    names.TUNNEL_AGENT_BYTES: "agent_bytes",
    names.TUNNEL_AGENT_MESSAGES: "agent_messages",
    names.TUNNEL_UPSTREAM_BYTES: "upstream_bytes",
    names.TUNNEL_UPSTREAM_MESSAGES: "upstream_messages",
    names.TUNNEL_CALLS: "calls",
    names.TUNNEL_CLOSED_BY: "closed_by",
    names.TUNNEL_CLOSE_CODE: "close_code",
    names.TUNNEL_CLOSE_REASON: "close_reason",
    names.TUNNEL_UNREAD: "unread",
}
_AMENDMENT: Final[Mapping[str, str]] = {
    names.CALL_OUTCOME: "outcome",
    names.ERROR_TYPE: "error_type",
    names.CALL_MESSAGE: "message",
    names.RESPONSE_BODY_HASH: "response_body_hash",
    names.RESPONSE_BYTES: "response_bytes",
    names.RESPONSE_DELIVERED_HASH: "delivered_body_hash",
    names.RESPONSE_DELIVERED_BYTES: "delivered_bytes",
}


def span_name(request: CallRequest) -> str:
    """The span's name as the conventions want it, such as `chat gpt-4o`; method and path where there is no such operation."""
    operation = _OPERATIONS.get(request.api or "")
    if operation is None:
        return f"{request.method} {request.path}"
    return f"{operation} {request.model}" if request.model else operation


def request_attributes(request: CallRequest) -> dict[str, Any]:
    """The attributes of what was asked. What is None has none, here and below."""
    attributes = _members(request, _REQUEST)
    if (operation := _OPERATIONS.get(request.api or "")) is not None:
        attributes[names.OPERATION] = operation
    if request.api in _OPENAI_APIS:
        attributes[names.OPENAI_API] = request.api
    if request.streamed:
        attributes[names.REQUEST_STREAM] = True
    return attributes


def call_attributes(call: Call) -> dict[str, Any]:
    """The attributes of a call's span, but for those of its request."""
    attributes = {
        **_members(call, _CALL),
        **_members(call.usage, _USAGE),
        **_members(call.timing, _TIMING),
        names.SPAN_KIND: names.CALL,
        names.SESSION_ID: call.run_id,
        names.USAGE_SOURCE: call.usage.source,
        **_masked_attribute(call.bodies_masked),
    }
    if call.discarded:
        attributes[names.CALL_DISCARDED] = True
    response = call.response
    if response is not None:
        attributes.update(_members(response, _RESPONSE))
        if response.finish_reasons:
            attributes[names.FINISH_REASONS] = response.finish_reasons
        if response.refused:
            attributes[names.RESPONSE_REFUSED] = True
        if response.service_tier is not None:
            is_openai = call.request.provider == _OPENAI
            attributes[names.OPENAI_SERVICE_TIER if is_openai else names.RESPONSE_SERVICE_TIER] = response.service_tier
        if response.tool_calls:
            attributes[names.TOOL_CALLS] = _json_list(response.tool_calls)
    if call.tunnel is not None:
        attributes.update(_members(call.tunnel, _TUNNEL))
    if call.tunnel is not None or call.request.tunnel_id is not None:
        attributes[names.NETWORK_PROTOCOL] = _WEBSOCKET
    first_chunk = _time_to_first_chunk(call)
    if first_chunk is not None:
        attributes[names.TIME_TO_FIRST_CHUNK] = first_chunk
    return attributes


def amendment_attributes(amendment: Amendment) -> dict[str, Any]:
    """The attributes of a call's span that an amendment replaces."""
    return {**_members(amendment, _AMENDMENT), **_masked_attribute(amendment.bodies_masked)}


def _masked_attribute(hashes: Mapping[str, str] | None) -> dict[str, Any]:
    return {names.BODIES_MASKED: hash_pairs(hashes)} if hashes else {}


def hash_pairs(hashes: Mapping[str, str]) -> tuple[str, ...]:
    """Bodies in which secrets are masked, as an attribute that every tool takes: `TRUE=KEPT` for each."""
    return tuple(f"{true}={kept}" for true, kept in hashes.items())


def masked_bodies(attributes: Mapping[str, Any]) -> dict[str, str]:
    """The bodies in which secrets are masked, as a span's attributes tell of them: hash of what is kept, by true hash."""
    pairs = attributes.get(names.BODIES_MASKED) or ()
    return dict(pair.split("=", 1) for pair in pairs if isinstance(pair, str) and "=" in pair)


def _members(source: object, members: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, member in members.items() if (value := getattr(source, member)) is not None}


def _time_to_first_chunk(call: Call) -> float | None:
    """Seconds from the sending of a streamed request to the first chunk of its answer; None if there was none."""
    if not call.request.streamed or call.timing.first_byte_in is None or call.timing.upstream_sent is None:
        return None
    return (call.timing.first_byte_in - call.timing.upstream_sent) / _NANOSECONDS


def _json_list(items: Iterable[Any]) -> str:
    """A JSON list, without the items that would take it over `_LONGEST_JSON`."""
    try:
        text = orjson.dumps(items).decode()
    except orjson.JSONEncodeError:  # a header that is not UTF-8
        items = [tuple(map(clean_text, item)) for item in items]
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


def is_recorded(span: SpanRecord) -> bool:
    """Whether a span is part of a run's recording, which a seal closes; a score may be added at any time."""
    return span.attributes.get(names.SPAN_KIND) not in (None, names.SCORE)


def call_from_span(span: SpanRecord, *, ended: bool = True) -> Call:
    """The call that a span records; `ended=False` for the announcement of one that has not ended.

    A span of another tool gives what it has: the rest is None.
    """
    attributes = span.attributes
    own = _read(attributes, _CALL)
    own["outcome"] = own["outcome"] or "completed"
    own["run_id"] = own["run_id"] or attributes.get(names.SESSION_ID) or span.trace_id
    if not ended:
        own["sequence"] = attributes.get(names.JOURNAL_CALLS)
    return Call(
        **own,
        # The announcement has an id of its own: the call's is its parent's.
        span_id=span.span_id if ended else span.parent_id or span.span_id,
        discarded=attributes.get(names.CALL_DISCARDED, False),
        bodies_masked=masked_bodies(attributes) or None,
        request=_request(attributes),
        response=_response(attributes) if ended else None,
        usage=_usage(attributes),
        timing=_timing(span, ended=ended),
        tunnel=Tunnel(**_read(attributes, _TUNNEL)) if names.TUNNEL_AGENT_BYTES in attributes else None,
        context=next((link for link in span.links if link.trace_id != span.trace_id), None),
    )


def _request(attributes: Mapping[str, Any]) -> CallRequest:
    own = _read(attributes, _REQUEST)
    own["method"] = own["method"] or "POST"
    own["path"] = own["path"] or ""
    return CallRequest(**own, streamed=attributes.get(names.REQUEST_STREAM, False))


def _response(attributes: Mapping[str, Any]) -> CallResponse | None:
    own = _read(attributes, _RESPONSE)
    if all(value is None for value in own.values()):
        return None
    reasons = attributes.get(names.FINISH_REASONS) or ()
    return CallResponse(
        **own,
        finish_reasons=(reasons,) if isinstance(reasons, str) else tuple(reasons),
        refused=attributes.get(names.RESPONSE_REFUSED, False),
        service_tier=attributes.get(names.OPENAI_SERVICE_TIER, attributes.get(names.RESPONSE_SERVICE_TIER)),
        tool_calls=tuple(ToolCall(**item) for item in _parsed_list(attributes.get(names.TOOL_CALLS))),
    )


def _read(attributes: Mapping[str, Any], members: Mapping[str, str]) -> dict[str, Any]:
    return {member: attributes.get(name) for name, member in members.items()}


def _usage(attributes: Mapping[str, Any]) -> Usage:
    counts = _read(attributes, _USAGE)
    told = counts["input_tokens"] is not None or counts["output_tokens"] is not None
    source: UsageSource = attributes.get(names.USAGE_SOURCE) or ("provider" if told else "absent")
    if source == "absent" and counts["reason"] is None:
        counts["reason"] = "the span has no usage"
    return Usage(source=source, **counts)


def _timing(span: SpanRecord, *, ended: bool) -> Timing:
    stamps = _read(span.attributes, _TIMING)
    seconds = span.attributes.get(names.TIME_TO_FIRST_CHUNK)
    if stamps["first_byte_in"] is None and isinstance(seconds, (int, float)):
        stamps["first_byte_in"] = round(seconds * _NANOSECONDS)
    return Timing(start_ns=span.start_ns, end=span.end_ns - span.start_ns if ended else None, **stamps)


def _parsed_list(text: str | None) -> list[Any]:
    return cast("list[Any]", orjson.loads(text)) if text else []
