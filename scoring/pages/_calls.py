"""The calls of a run, one after the other, as a table and its details show them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from ...traces import Call, CallRequest, CallResponse
from .._record import RunRecord
from .._scorecard import Scorecard
from ..axes._call_times import time_to_first_content
from ..transcript import Turn
from ._body_table import Placed
from ._conversations import Asked
from ._moments import Moments
from ._talk import UNREAD, Talk

__all__ = ["calls_of"]

_MILLISECOND: Final = 1e6
_TIMING: Final[Mapping[str, str]] = {
    "request_read": "The request was in",
    "upstream_sent": "The request was sent on",
    "headers": "The head of the answer was in",
    "first_byte_in": "First byte of the answer",
    "first_byte_out": "First byte handed to the agent",
    "first_content": "First content",
    "last_byte": "Last byte",
    "end": "End",
    "largest_gap": "Longest wait between two chunks",
    "overhead": "What the recorder added",
}
"""By their name in `Timing`: moments after the call's start, and two lengths of time."""


def calls_of(
    record: RunRecord, scorecard: Scorecard, talk: Talk, moments: Moments, files: Mapping[tuple[str, str], int]
) -> list[dict[str, Any]]:
    """The calls in the order of their start.

    Args:
        record: the run.
        scorecard: of it: which call led to which change.
        talk: what its bodies tell.
        moments: its clock.
        files: places of changed files, by path and operation.
    """
    places = {call.span_id: place for place, call in enumerate(record.run.calls)}
    led: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for link in scorecard.links:
        if (file := files.get((link.path, link.operation))) is not None:
            led[link.call].append({"file": file, "confidence": link.confidence, "tool": link.tool})
    return [
        {
            **_line(turn.call, places, moments),
            **_said(turn, talk, places),
            "led_to": led[turn.call.span_id],
            "timing": _timing(turn.call),
        }
        for turn in record.transcript
    ]


def _line(call: Call, places: Mapping[str, int], moments: Moments) -> dict[str, Any]:
    request, response, usage, timing = call.request, call.response, call.usage, call.timing
    return {
        "id": call.span_id,
        "sequence": call.sequence,
        "attempt": call.attempt,
        "retry_of": places.get(call.retry_of or ""),
        "start_ms": moments.at(timing.start_ns),
        "end_ms": None if timing.end is None else moments.at(timing.start_ns + timing.end),
        "request_hash": call.request_hash,
        "api": request.api,
        "method": request.method,
        "path": request.path if request.query is None else f"{request.path}?{request.query}",
        "endpoint": None if request.server_address is None else f"{request.server_address}:{request.server_port}",
        "model_asked": request.model,
        "model_answered": response.model if response else None,
        "streamed": request.streamed,
        "prompt": usage.input_tokens,
        "completion": usage.output_tokens,
        "cached": usage.cache_read_tokens,
        "reasoning": usage.reasoning_tokens,
        "usage_source": usage.source,
        "usage_reason": usage.reason,
        "latency_ms": _ms(timing.end),
        "ttft_ms": _ms(time_to_first_content(call)),
        "finish": list(response.finish_reasons) if response else [],
        "outcome": call.outcome,
        "status": response.status if response else None,
        "error": call.error_type,
        "error_message": call.message,
        "discarded": call.discarded,
    }


def _said(turn: Turn, talk: Talk, places: Mapping[str, int]) -> dict[str, Any]:
    call = turn.call
    said = talk.said.get(call.span_id, UNREAD)
    return {
        "tools": None if turn.tools is None else list(turn.tools),
        "asked": None if said.asked is None else _asked(said.asked, places),
        "answers": None if turn.answers is None else talk.messages.places_of(turn.answers),
        "unreadable": turn.unreadable or said.unreadable,
        "parameters": list(said.parameters.items()),
        "request_body": _body(call.request, said.body),
        "response_body": _body(call.response, talk.responses[call.span_id]),
    }


def _asked(asked: Asked, places: Mapping[str, int]) -> dict[str, Any]:
    return {**asdict(asked), "since": places.get(asked.since or "")}


def _body(side: CallRequest | CallResponse | None, placed: Placed) -> dict[str, Any]:
    digest, size = (None, None) if side is None else (side.body_hash, side.bytes)
    return {"hash": digest, "bytes": size, "place": placed.place, "note": placed.note}


def _timing(call: Call) -> list[tuple[str, float | None]]:
    return [(label, _ms(getattr(call.timing, name))) for name, label in _TIMING.items()]


def _ms(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / _MILLISECOND
