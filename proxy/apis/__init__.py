"""The APIs whose bytes are read, sans I/O: a module for each, chosen by the table below."""

from collections.abc import Mapping
from typing import Final

from ._answer import Answer, AnswerReader, Api, Question, TokenCounts
from ._chat_completions import CHAT_COMPLETIONS
from ._injection import UsageRemover, ask_for_usage
from ._socket import message_api_of, message_as_event, question_in
from ._sse import EventSplitter, event_data, event_type

__all__ = [
    "CHAT_COMPLETIONS",
    "Answer",
    "AnswerReader",
    "Api",
    "EventSplitter",
    "Question",
    "TokenCounts",
    "UsageRemover",
    "api_of",
    "ask_for_usage",
    "event_data",
    "event_type",
    "message_api_of",
    "message_as_event",
    "question_in",
]

_APIS: Final[Mapping[tuple[str, str], Api]] = {("POST", "/chat/completions"): CHAT_COMPLETIONS}
"""By method, and end of the path."""


def api_of(method: str, path: str) -> Api | None:
    """The API that a request is made to; None if it is none that is read here."""
    return next((api for (verb, end), api in _APIS.items() if method == verb and path.endswith(end)), None)
