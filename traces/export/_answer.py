"""What a collector's answer means for what was sent: the rules of the OTLP specification, sections OTLP/gRPC and OTLP/HTTP."""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

__all__ = ["Accepted", "Answer", "Misaddressed", "Refused", "Retry", "TooLarge", "read_grpc_answer", "read_http_answer"]

_RETRYABLE_STATUS: Final = frozenset({429, 502, 503, 504})
_MISADDRESSED_STATUS: Final = frozenset({*range(300, 400), 401, 403, 404, 405, 407, 421})
_MISADDRESSED_CODES: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"})
_RETRYABLE_CODES: Final = frozenset(
    {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
)
_JSON: Final = "application/json"
_PROTOBUF: Final = ("application/x-protobuf", "application/protobuf", "application/octet-stream")
_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The collector has it."""

    rejected_spans: int = 0
    """Of `partial_success`: they are not to be sent again."""
    message: str = ""
    """What the collector said with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The same is to be sent again."""

    reason: str
    after: float | None = None
    """Seconds that the collector asks to wait; None: it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """Less at once may be taken."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It must not be sent again as it is."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Misaddressed:
    """Nothing is wrong with what was sent: the address or the key is, until somebody mends it."""

    reason: str


Answer: TypeAlias = Accepted | Retry | TooLarge | Refused | Misaddressed


def read_http_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """What an answer of HTTP means.

    Args:
        status: its code.
        headers: with names in lower case.
        body: without content coding.
    """
    if 200 <= status < 300:  # noqa: PLR2004  RFC 9110, 15.3
        return _read_success(headers.get("content-type", ""), body)
    reason = f"HTTP {status}{_quoted(headers.get('content-type', ''), body)}"
    if status in _RETRYABLE_STATUS:
        return Retry(reason=reason, after=_seconds(headers.get("retry-after")))
    if status == 413:  # noqa: PLR2004  RFC 9110, 15.5.14
        return TooLarge(reason=reason)
    return Misaddressed(reason=reason) if status in _MISADDRESSED_STATUS else Refused(reason=reason)


def read_grpc_answer(code: str, details: str, retry_after: float | None) -> Answer:
    """What an error of gRPC means.

    Args:
        code: the status code's name.
        details: what the collector said with it.
        retry_after: seconds, of `RetryInfo`; None: there was none.
    """
    reason = f"gRPC {code}: {details}"[:_LONGEST_REASON]
    if code in _RETRYABLE_CODES or (code == "RESOURCE_EXHAUSTED" and retry_after is not None):
        return Retry(reason=reason, after=retry_after)
    if code in _MISADDRESSED_CODES:
        return Misaddressed(reason=reason)
    return TooLarge(reason=reason) if code == "RESOURCE_EXHAUSTED" else Refused(reason=reason)


def _read_success(content_type: str, body: bytes) -> Answer:
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return Accepted()
    try:
        if kind == _JSON:
            return _read_partial_success(orjson.loads(body))
        if kind in _PROTOBUF:
            return _read_protobuf(body)
    except ValueError as error:
        return Misaddressed(reason=f"HTTP 2xx, but its body cannot be read: {error}"[:_LONGEST_REASON])
    return Misaddressed(reason=f"HTTP 2xx of type {kind or 'unknown'}, which no collector answers")


def _read_partial_success(answer: Any) -> Accepted:
    partial = (answer.get("partialSuccess") or {}) if isinstance(answer, dict) else {}
    return Accepted(
        rejected_spans=int(partial.get("rejectedSpans") or 0), message=str(partial.get("errorMessage") or "")
    )


def _read_protobuf(body: bytes) -> Accepted:
    from google.protobuf.message import DecodeError  # noqa: PLC0415  of the extra
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse  # noqa: PLC0415

    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return Accepted(rejected_spans=partial.rejected_spans, message=partial.error_message)


def _seconds(retry_after: str | None) -> float | None:
    """Of `Retry-After`: seconds or a date (RFC 9110, 10.2.3)."""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def _quoted(content_type: str, body: bytes) -> str:
    """What the answer says, where it is text."""
    if "protobuf" in content_type:
        # google.rpc.Status, of which field 2 is the message: its printable part says enough.
        body = bytes(byte for byte in body if 32 <= byte < 127)  # noqa: PLR2004  printable ASCII
    text = " ".join(body[:_LONGEST_REASON].decode("utf-8", "replace").split())
    return f": {text}" if text else ""
