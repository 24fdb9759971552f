"""What a call and a run are, how they lie on disk, and how they are read back."""

from ._bodies import GrowingBody
from ._body_reader import BodyReader
from ._call import (
    Amendment,
    Call,
    CallRequest,
    CallResponse,
    Outcome,
    Sender,
    Timing,
    ToolCall,
    Tunnel,
    Usage,
    UsageSource,
)
from ._canonical import VOLATILE_MEMBERS, canonical_json, canonical_request_hash
from ._decoding import BodyDecoder, DecodingError
from ._errors import InputError, LaunchError, ProxyError, StoreError, TachographError
from ._follow import JournalFollower
from ._messages import MessageKind, TunnelMessage, read_messages
from ._otlp import SpanRecord
from ._reader import Run, is_live, read_calls, read_run, read_spans
from ._recording import OpenCall, RunRecording
from ._scores import Score, append_scores, latest_scores
from ._seal import Seal, Survey, Verification, survey, verify
from ._span import call_from_span, is_call
from ._store import RunStore, check_run_id, new_run_id

__all__ = [
    "VOLATILE_MEMBERS",
    "Amendment",
    "BodyDecoder",
    "BodyReader",
    "Call",
    "CallRequest",
    "CallResponse",
    "DecodingError",
    "GrowingBody",
    "InputError",
    "JournalFollower",
    "LaunchError",
    "MessageKind",
    "OpenCall",
    "Outcome",
    "ProxyError",
    "Run",
    "RunRecording",
    "RunStore",
    "Score",
    "Seal",
    "Sender",
    "SpanRecord",
    "StoreError",
    "Survey",
    "TachographError",
    "Timing",
    "ToolCall",
    "Tunnel",
    "TunnelMessage",
    "Usage",
    "UsageSource",
    "Verification",
    "append_scores",
    "call_from_span",
    "canonical_json",
    "canonical_request_hash",
    "check_run_id",
    "is_call",
    "is_live",
    "latest_scores",
    "new_run_id",
    "read_calls",
    "read_messages",
    "read_run",
    "read_spans",
    "survey",
    "verify",
]
