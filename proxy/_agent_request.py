"""A request of an agent, and who is asked about it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ._headers import Head
from ._large_body import LargeBody
from ._refusal import Refusal
from ._tunnel_end import BytesBehind

if TYPE_CHECKING:
    from ._agent_connection import AgentConnection

__all__ = ["AgentRequest", "Handle", "Judge"]


@dataclass(slots=True, kw_only=True)
class AgentRequest:
    """A request as it came, whole. Its body is let go of when it is answered: many streams are open at a time."""

    connection: "AgentConnection"
    method: str
    target: str
    """As on the wire, percent-encoding untouched."""
    version: str
    """`1.0` or `1.1`."""
    keep_alive: bool
    """The connection may serve another request."""
    head: Head
    headers: dict[str, str]
    """The head to look things up in: lower-case names."""
    body: bytes | LargeBody | None = field(default=None, repr=False)
    """None if it has none; empty if it said that it has one of no bytes, in chunks."""
    start_ns: int
    """Unix time at which its head was in, nanoseconds."""
    started: int
    """The monotonic clock at that moment."""
    read: int = 0
    """The monotonic clock when its body was in."""
    is_answered: bool = False
    """Bytes of an answer have gone to the agent."""
    refusal: Refusal | None = None
    """Why it was not read to its end; None if it was."""
    behind: BytesBehind | None = None
    """What came behind it, if it offers an upgrade to WebSocket; else None, and what comes is the next request."""


Handle = Callable[[AgentRequest], Awaitable[None]]
"""Answers a request through its connection."""


class Judge(Protocol):
    """What a connection has to ask about a request that is not in yet."""

    def refusal_of(self, request: AgentRequest) -> Refusal | None:
        """Why a request will not be answered, as far as its head tells; None if it will be."""

    def large_body_of(self, request: AgentRequest) -> LargeBody:
        """Where the body of a request is put that will be answered and is too large to be held."""
