"""Calls made by messages through a WebSocket: OpenAI Responses, whose messages are what its HTTP bodies and events are.

A message `response.create` has the members of a request's body; what the server sends are the events of the stream, each a
message (OpenAI, "WebSocket mode"). Answers come one at a time, in the order of their questions.
"""

from dataclasses import replace
from typing import Final

from ._answer import Api, Question

__all__ = ["begins_answer", "message_api_of", "message_as_event", "question_in"]

_APIS: Final = frozenset({"responses"})
"""The APIs, by name, whose messages are read so."""
_QUESTIONS: Final = frozenset({"response.create", "response.append"})
"""Types of messages that ask for an answer. The second is of codex before 0.100."""
_BEGINNING: Final = b'"response.created"'
_TYPE: Final = "type"


def message_api_of(api: Api | None) -> Api | None:
    """The API whose calls may be made by messages, given the one that a POST to the same path is made to; else None."""
    return api if api is not None and api.name in _APIS else None


def question_in(api: Api, content: bytes) -> Question | None:
    """What a message of the agent asks; None if it asks for no answer. It never raises."""
    question = api.read_question(content)
    if not isinstance(question.parsed, dict) or question.parsed.get(_TYPE) not in _QUESTIONS:
        return None
    # Over HTTP the same request has no type, and is to have the same hash.
    parsed = {name: value for name, value in question.parsed.items() if name != _TYPE}
    return replace(question, parsed=parsed, streamed=True)


def begins_answer(content: bytes) -> bool:
    """Whether a message of the server is the first of an answer."""
    return _BEGINNING in content


def message_as_event(content: bytes) -> bytes:
    """A message as the server-sent event that it would be over HTTP."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"".join(b"data: %b\n" % line for line in lines) + b"\n"
