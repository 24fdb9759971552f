"""What a call and a run are, how they lie on disk, and how they are read back."""

from ._bodies import LARGEST_COMPARED
from ._body_reader import BodyReader, MaskedBody
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
from ._context import CONTEXT_HEADERS, RemoteContext, read_context, traceparent
from ._decoding import BodyDecoder, DecodingError, decoded
from ._errors import InputError, LaunchError, ProxyError, StoreError, TachographError
from ._follow import JournalFollower
from ._kept_body import GrowingBody, HashedBody, UnsearchableError
from ._known_secrets import is_telling, secrets_of_environment
from ._messages import MessageKind, TunnelMessage, read_messages
from ._otlp import SpanRecord
from ._reader import is_live, read_calls, read_run, read_spans
from ._recording import OpenCall, RunRecording
from ._redaction import Masked, Redactor, masked
from ._request_hashes import RequestHashes
from ._run import Run
from ._scanner import Found
from ._scores import Score, append_scores, latest_scores
from ._seal import Seal, Survey, Verification, survey, verify
from ._secret_rules import RUN_KEY_PREFIX, Rule
from ._span import call_from_span, is_call
from ._spill import Spill
from ._store import RunStore, check_run_id, new_run_id
from ._user_rules import read_rules
from .warehouse import RunHead, RunSource
from .warehouse import open_runs as open  # noqa: A004  `traces.open(where)` is what it is

__all__ = [
    "CONTEXT_HEADERS",
    "LARGEST_COMPARED",
    "RUN_KEY_PREFIX",
    "VOLATILE_MEMBERS",
    "Amendment",
    "BodyDecoder",
    "BodyReader",
    "Call",
    "CallRequest",
    "CallResponse",
    "DecodingError",
    "Found",
    "GrowingBody",
    "HashedBody",
    "InputError",
    "JournalFollower",
    "LaunchError",
    "Masked",
    "MaskedBody",
    "MessageKind",
    "OpenCall",
    "Outcome",
    "ProxyError",
    "Redactor",
    "RemoteContext",
    "RequestHashes",
    "Rule",
    "Run",
    "RunHead",
    "RunRecording",
    "RunSource",
    "RunStore",
    "Score",
    "Seal",
    "Sender",
    "SpanRecord",
    "Spill",
    "StoreError",
    "Survey",
    "TachographError",
    "Timing",
    "ToolCall",
    "Tunnel",
    "TunnelMessage",
    "UnsearchableError",
    "Usage",
    "UsageSource",
    "Verification",
    "append_scores",
    "call_from_span",
    "canonical_json",
    "canonical_request_hash",
    "check_run_id",
    "decoded",
    "is_call",
    "is_live",
    "is_telling",
    "latest_scores",
    "masked",
    "new_run_id",
    "open",
    "read_calls",
    "read_context",
    "read_messages",
    "read_rules",
    "read_run",
    "read_spans",
    "secrets_of_environment",
    "survey",
    "traceparent",
    "verify",
]
