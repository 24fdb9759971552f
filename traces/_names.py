"""The names of all attributes and spans, in one place.

`gen_ai.*` and `openai.*` are those of OpenTelemetry semantic conventions 1.41.1, the last set published; the strings stand
here because the package that carries them promises nothing about that part. What has no convention is under `tachograph.`.
"""

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.1"
SCOPE: Final = "tachograph"
JOURNAL_FORMAT: Final = 1
"""The version of the journal's form, on the scope of each line. A reader refuses a higher one."""

# Spans, told apart by this attribute and not by their names, which hold the model's or the task's name.
SPAN_KIND: Final = "tachograph.span"
RUN: Final = "run"
AGENT: Final = "agent"
CALL: Final = "call"
CHECK: Final = "check"
SNAPSHOT: Final = "workdir.snapshot"
SEAL: Final = "seal"
TAIL: Final = "call.tail"
START_SUFFIX: Final = ".start"
"""A span that must be known of while it is open is announced by a zero-duration child: `run.start`, `call.start`, …"""

JOURNAL_FORMAT_KEY: Final = "tachograph.journal.format"
JOURNAL_LINE: Final = "tachograph.journal.line"
JOURNAL_CALLS: Final = "tachograph.journal.calls"
JOURNAL_PREVIOUS: Final = "tachograph.journal.previous"

SESSION_ID: Final = "session.id"
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
URL_PATH: Final = "url.path"
URL_QUERY: Final = "url.query"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
OPENAI_API: Final = "openai.api.type"

OPENINFERENCE_PROJECT: Final = "openinference.project.name"
OPENINFERENCE_KIND: Final = "openinference.span.kind"

RUN_ID: Final = "tachograph.run.id"
RUN_STATUS: Final = "tachograph.run.status"
RUN_LIMITS: Final = "tachograph.run.limits"
TASK_ID: Final = "tachograph.task.id"
TASK_HASH: Final = "tachograph.task.hash"

CALL_SEQUENCE: Final = "tachograph.call.seq"
CALL_ATTEMPT: Final = "tachograph.call.attempt"
CALL_API: Final = "tachograph.call.api"
CALL_OUTCOME: Final = "tachograph.call.outcome"
CALL_DISCARDED: Final = "tachograph.call.discarded"
CALL_MESSAGE: Final = "tachograph.call.message"
SDK_RETRY: Final = "tachograph.call.sdk_retry"

REQUEST_HASH: Final = "tachograph.request.hash"
REQUEST_BODY_HASH: Final = "tachograph.request.body_hash"
REQUEST_BYTES: Final = "tachograph.request.bytes"
REQUEST_SENT_HASH: Final = "tachograph.request.sent_body_hash"
REQUEST_SENT_BYTES: Final = "tachograph.request.sent_bytes"
REQUEST_HEAD: Final = "tachograph.request.head"
RESPONSE_BODY_HASH: Final = "tachograph.response.body_hash"
RESPONSE_BYTES: Final = "tachograph.response.bytes"
RESPONSE_DELIVERED_HASH: Final = "tachograph.response.delivered_body_hash"
RESPONSE_DELIVERED_BYTES: Final = "tachograph.response.delivered_bytes"
RESPONSE_HEAD: Final = "tachograph.response.head"
UPSTREAM_REQUEST_ID: Final = "tachograph.response.request_id"
BODIES_LOST: Final = "tachograph.bodies.lost"

USAGE_SOURCE: Final = "tachograph.usage.source"
USAGE_REASON: Final = "tachograph.usage.reason"
TOOL_CALLS: Final = "tachograph.tool_calls"

STREAM_CHUNKS: Final = "tachograph.stream.chunks"
LARGEST_GAP: Final = "tachograph.stream.largest_gap_ns"
# Nanoseconds after the span's start, by the monotonic clock.
AT_REQUEST_READ: Final = "tachograph.at.request_read_ns"
AT_UPSTREAM_SENT: Final = "tachograph.at.upstream_sent_ns"
AT_HEADERS: Final = "tachograph.at.headers_ns"
AT_FIRST_BYTE_IN: Final = "tachograph.at.first_byte_in_ns"
AT_FIRST_BYTE_OUT: Final = "tachograph.at.first_byte_out_ns"
AT_FIRST_CONTENT: Final = "tachograph.at.first_content_ns"
AT_LAST_BYTE: Final = "tachograph.at.last_byte_ns"

SEAL_LINES: Final = "tachograph.seal.lines"
SEAL_CALLS: Final = "tachograph.seal.calls"
SEAL_FINISHED: Final = "tachograph.seal.finished_calls"
SEAL_BYTES: Final = "tachograph.seal.bytes"
SEAL_HEAD: Final = "tachograph.seal.head"
SEAL_BODIES: Final = "tachograph.seal.bodies"
