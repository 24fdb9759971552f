"""What one call to a model is: one HTTP exchange, one attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ._context import RemoteContext

__all__ = [
    "Amendment",
    "Call",
    "CallRequest",
    "CallResponse",
    "Outcome",
    "Sender",
    "Timing",
    "ToolCall",
    "Tunnel",
    "Usage",
    "UsageSource",
]

UsageSource = Literal["provider", "injected", "estimated", "agent_stdout", "absent"]
"""Where a token count comes from. `injected`: the provider's own, but asked for by the proxy and not by the agent."""

Outcome = Literal[
    "completed",
    "client_disconnected",
    "upstream_cut",
    "upstream_unreachable",
    "interrupted",
    "in_flight",
]
"""How an exchange ended.

`completed`: its terminal event or its whole body passed, whatever the status. `interrupted`: the recorder ended first;
`in_flight`: it has not ended, and the process that records it lives.
"""


Sender = Literal["agent", "upstream"]
"""Who sent a message through a tunnel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One tool call that an answer asks for. The arguments themselves are in the response body."""

    choice: int
    """Index of the choice it belongs to."""
    index: int
    """Position among the tool calls of that choice."""
    id: str | None
    name: str | None
    arguments_bytes: int
    """Length of the arguments, UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one call, with where they come from. None is 'not told', never zero."""

    source: UsageSource
    input_tokens: int | None = None
    """All input tokens, cached ones included."""
    output_tokens: int | None = None
    """All output tokens, reasoning included."""
    cache_read_tokens: int | None = None
    cache_creation_tokens: int | None = None
    reasoning_tokens: int | None = None
    reason: str | None = None
    """Why there is none, if `source` is `absent`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When things happened. All but `start_ns` are nanoseconds after it by a monotonic clock; None: did not happen."""

    start_ns: int
    """The request's head was in: Unix time, nanoseconds."""
    request_read: int | None = None
    """The request's body was in."""
    upstream_sent: int | None = None
    """The request had been handed to the connection with the upstream."""
    headers: int | None = None
    """The head of the upstream's response was in."""
    first_byte_in: int | None = None
    """First byte of the response's body from the upstream."""
    first_byte_out: int | None = None
    """The same byte had been handed to the connection with the agent."""
    first_content: int | None = None
    """First chunk with content: text, reasoning, refusal or tool call. A role or a comment is none."""
    last_byte: int | None = None
    """Last byte of the response's body that was received."""
    end: int | None = None
    """The exchange was over; None while it is not."""
    largest_gap: int | None = None
    """Longest wait between two chunks of the body, in nanoseconds; None with fewer than two."""
    chunks: int | None = None
    """How often bytes of the body arrived."""

    @property
    def overhead(self) -> int | None:
        """Nanoseconds that the proxy itself added before the first byte went out; None unless one did."""
        stamps = (self.request_read, self.upstream_sent, self.first_byte_in, self.first_byte_out)
        if any(stamp is None for stamp in stamps):
            return None
        read, sent, byte_in, byte_out = (stamp or 0 for stamp in stamps)
        return (sent - read) + (byte_out - byte_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """What was asked. Hashes are lower-case hex sha256 of exact bytes as they were on the wire."""

    method: str
    path: str
    query: str | None
    """Query string with the values of key-like members masked; None if there was none."""
    server_address: str | None
    server_port: int | None
    api: str | None
    """Which API's bytes were read, such as `chat_completions`; None if the path is of no API known here."""
    tunnel_id: str | None = None
    """The span id of the call through whose tunnel this one was made, by a message; None for an exchange of its own.

    Method, path and query are then that call's, the head is empty, and the answer's body is the messages that answer it, each
    as the server-sent event that it would be over HTTP.
    """
    provider: str | None
    model: str | None
    streamed: bool
    session_id: str | None
    """The agent's own session id, if it sent one in its head; else the conversation that the body names, if any."""
    previous_response_id: str | None = None
    """The answer that this request goes on from, where the provider keeps them."""
    body_hash: str | None
    """Of the body that the agent sent."""
    bytes: int | None
    sent_body_hash: str | None
    """Of the body that the upstream got, if it is another one; else None."""
    sent_bytes: int | None
    unread: str | None = None
    """Why the body was not read, if it was not: a coding that is not known, damage, an expansion beyond all bounds."""
    head: str | None = field(repr=False)
    """Header lines as they came, `Name: value`, CRLF between them, keys masked; None in records of other tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResponse:
    """What was answered."""

    status: int | None
    model: str | None
    id: str | None
    upstream_request_id: str | None
    """From the response's head."""
    finish_reasons: tuple[str, ...]
    """One for each choice that told one, in the provider's own words; `error` at the end for a stream that broke.

    Responses have no word of that kind: recorded is why one is incomplete, else its status, such as `completed`.
    """
    tool_calls: tuple[ToolCall, ...]
    body_hash: str | None
    """Of the body that the upstream sent."""
    bytes: int | None
    delivered_body_hash: str | None
    """Of the body that was handed to the agent, if it is another one; else None."""
    delivered_bytes: int | None
    refused: bool = False
    """The answer says of itself that it is a refusal: by a `refusal` part, or by its finish reason."""
    service_tier: str | None = None
    """How the provider says that it served the request, such as `default`, `priority` or `batch`."""
    system_fingerprint: str | None = None
    """Of what the provider ran the model on, in its own words."""
    head: str | None = field(repr=False)
    """As the request's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """What passed through the WebSocket that an exchange became: the upstream answered an upgrade with 101."""

    agent_bytes: int
    """Bytes that the agent sent behind its request, frames and all."""
    agent_messages: int
    """Messages of it that were read, control frames with them."""
    upstream_bytes: int
    upstream_messages: int
    calls: int | None
    """Calls that were made by messages, each recorded as a call of its own; None if no messages of this path are read so."""
    closed_by: Sender | None
    """Who sent the first close frame; None if nobody did, or it could not be read."""
    close_code: int | None
    """As it said."""
    close_reason: str | None
    unread: str | None
    """Why messages were not read, from some point on; None if all were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One recorded exchange, or one that was made by messages through the tunnel of another."""

    run_id: str
    span_id: str
    """16 hex digits; empty for a call that has not been recorded."""
    sequence: int | None
    """Position in the run by the time the request came, from 1; None in records of other tools."""
    attempt: int | None
    """1, and one more for each earlier failure of the same request in this run that it repeats.

    As recorded: as far as its recorder knew, which may be one of several. `tachograph.scoring.link_attempts` tells it, and
    `retry_of`, from the whole run.
    """
    retry_of: str | None = None
    """Span id of the attempt before; None for the first."""
    outcome: Outcome
    error_type: str | None
    """None if all went well: else the provider's error code, the HTTP status, or what broke."""
    message: str | None
    """A sentence about what broke, for people; None if nothing did."""
    discarded: bool
    """The agent never saw this answer: the upstream refused what the proxy had added, and was asked again without it."""
    request: CallRequest
    request_hash: str | None
    """Hash of the canonical request (see `canonical_request_hash`), to match calls across runs; None if it is no JSON."""
    response: CallResponse | None
    """None if there was no answer, or the call was interrupted."""
    usage: Usage
    timing: Timing
    bodies_lost: str | None
    """Why bodies are not in the run's folder, if they are not (a full disk, `--bodies hash`); else None."""
    bodies_masked: Mapping[str, str] | None = None
    """Of bodies in which secrets are masked: by the hash of the true bytes, that of what is kept. None if there are none."""
    tunnel: Tunnel | None = None
    """What it became, if it was upgraded to a WebSocket; else None."""
    context: RemoteContext | None = None
    """The span of the agent's own trace in which it was made; None if the agent told none, or goes on with the run's trace."""

    @property
    def only_carries_calls(self) -> bool:
        """Whether all work of the model that it led to is recorded as calls of their own, made through its tunnel."""
        return self.tunnel is not None and self.tunnel.calls is not None and self.tunnel.unread is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What was learnt of a call after its end was recorded. None: as recorded."""

    at_ns: int
    """Unix time, nanoseconds."""
    outcome: Outcome | None = None
    error_type: str | None = None
    message: str | None = None
    response_body_hash: str | None = None
    response_bytes: int | None = None
    delivered_body_hash: str | None = None
    delivered_bytes: int | None = None
    bodies_masked: Mapping[str, str] | None = None
