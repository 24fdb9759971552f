"""What is recorded of a request, whoever took it from the agent: the proxy, or a transport inside the program."""

from collections.abc import Callable, Mapping
from typing import Final

from ..traces import CallRequest, DecodingError, decoded
from ._headers import Head, recorded_head, recorded_query
from ._large_body import LargeBody
from ._observation import session_of
from .apis import Api, Question

__all__ = ["read_question", "recorded_request"]

_LONGEST_READ: Final = 64 * 2**20
"""Bytes of a request. Parsed it takes as much memory again: a longer one is only passed on, kept, and hashed as it is."""


def read_question(api: Api | None, headers: Mapping[str, str], body: bytes | LargeBody | None) -> Question:
    """What a request asks for, by its body; nothing is known of a request to an API that is not read."""
    if api is None:
        return Question()
    if body is not None and len(body) > _LONGEST_READ:
        return Question(unread=f"a request of more than {_LONGEST_READ} bytes is not read")
    if isinstance(body, LargeBody):
        try:
            body = body.content()
        except OSError as error:
            return Question(unread=f"it could not be read back: {error.strerror or error}")
    try:
        plain = decoded(body or b"", headers.get("content-encoding", ""))
    except DecodingError as error:
        return Question(unread=str(error))
    return api.read_question(plain)


def recorded_request(
    *,
    method: str,
    path: str,
    query: str | None,
    server_address: str | None,
    server_port: int | None,
    api: Api | None,
    question: Question,
    headers: Mapping[str, str],
    head: Head,
    body: bytes | LargeBody,
    sha256: Callable[[bytes | LargeBody], str],
    sent: bytes | LargeBody | None = None,
) -> CallRequest:
    """The request for the record, its secrets masked.

    Args:
        method: in upper case.
        path: percent-encoding untouched.
        query: without the question mark; None if there is none.
        server_address: the upstream's host.
        server_port: the upstream's.
        api: that it is made to; None if it is none that is read here.
        question: what it asks for.
        headers: to look things up in, by lower-case name.
        head: the same as they came.
        body: as the agent sent it.
        sha256: gives the hex sha256 of bytes.
        sent: the body that the upstream gets, if it is another one.
    """
    return CallRequest(
        method=method,
        path=path,
        query=recorded_query(query),
        server_address=server_address,
        server_port=server_port,
        api=api.name if api else None,
        provider=api.provider if api else None,
        model=question.model,
        streamed=question.streamed,
        session_id=session_of(headers) or question.conversation_id,
        previous_response_id=question.previous_response_id,
        unread=question.unread,
        body_hash=sha256(body),
        bytes=len(body),
        sent_body_hash=None if sent is None else sha256(sent),
        sent_bytes=None if sent is None else len(sent),
        head=recorded_head(head),
    )
