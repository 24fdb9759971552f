"""Reading the two bodies of a call, by the dialect of its API."""

from collections.abc import Mapping
from typing import Any, Final

from ...traces import BodyReader, Call
from ._body import parse_events, parse_json, read_body
from ._chat_completions import CHAT_COMPLETIONS
from ._completions import COMPLETIONS
from ._dialect import Dialect, UnreadableError
from ._messages import MESSAGES
from ._responses import RESPONSES
from ._turn import Message

__all__ = ["dialect_of", "object_in", "read_answer", "read_request", "reason_of"]

_DIALECTS: Final[Mapping[str | None, Dialect]] = {
    "chat_completions": CHAT_COMPLETIONS,
    "completions": COMPLETIONS,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
"""By `call.request.api`."""
_FIRST_ERROR_STATUS: Final = 400
_UNENDED: Final[Mapping[str, str]] = {
    "interrupted": "the call was interrupted before an answer was recorded",
    "in_flight": "the call goes on",
}


def dialect_of(call: Call) -> Dialect:
    """The dialect of a call's API. Raises UnreadableError if none is known here."""
    try:
        return _DIALECTS[call.request.api]
    except KeyError:
        raise UnreadableError(f"the API of {call.request.path} is not read here") from None


def read_request(call: Call, bodies: BodyReader) -> dict[str, Any]:
    """A call's request. Raises UnreadableError if its body was not kept, or is no JSON object."""
    return object_in(read_body(bodies, call.request.body_hash, call.request.head, call.bodies_lost))


def object_in(body: bytes) -> dict[str, Any]:
    """The JSON object that a request is. Raises UnreadableError if it is none."""
    request = parse_json(body)
    if not isinstance(request, dict):
        raise UnreadableError("it is no JSON object")
    return request


def read_answer(call: Call, bodies: BodyReader) -> tuple[Message, ...] | UnreadableError:
    """The choices of a call's answer, or why they cannot be told; none if there was no answer of a model."""
    response = call.response
    if response is None:
        reason = _UNENDED.get(call.outcome)
        return UnreadableError(reason) if reason else ()
    if (response.status or 0) >= _FIRST_ERROR_STATUS or response.bytes == 0:
        return ()
    try:
        dialect = dialect_of(call)
        body = read_body(bodies, response.body_hash, response.head, call.bodies_lost)
        if not body.lstrip().startswith((b"{", b"[")):
            return dialect.streamed_answer(parse_events(body))
        answer = parse_json(body)
        return dialect.whole_answer(answer) if isinstance(answer, dict) else ()
    except (UnreadableError, RecursionError) as error:
        return UnreadableError(reason_of(error))


def reason_of(error: Exception) -> str:
    """Why a body is not read, in words."""
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
