"""The APIs whose bytes are read, sans I/O: a module for each, chosen by the table below."""

from collections.abc import Mapping
from typing import Final

from ._answer import Answer, AnswerReader, Api, Question, TokenCounts
from ._chat_completions import CHAT_COMPLETIONS
from ._completions import COMPLETIONS
from ._embeddings import EMBEDDINGS
from ._injection import UsageRemover, ask_for_usage
from ._messages import COUNT_TOKENS, MESSAGES
from ._models import MODELS
from ._openai_errors import openai_error
from ._responses import RESPONSES
from ._socket import begins_answer, message_api_of, message_as_event, question_in
from ._sse import EventSplitter, event_data, event_type, leading_type

__all__ = [
    "CHAT_COMPLETIONS",
    "COMPLETIONS",
    "COUNT_TOKENS",
    "EMBEDDINGS",
    "MESSAGES",
    "MODELS",
    "RESPONSES",
    "Answer",
    "AnswerReader",
    "Api",
    "EventSplitter",
    "Question",
    "TokenCounts",
    "UsageRemover",
    "api_of",
    "ask_for_usage",
    "begins_answer",
    "event_data",
    "event_type",
    "leading_type",
    "message_api_of",
    "message_as_event",
    "openai_error",
    "question_in",
]

_APIS: Final[Mapping[tuple[str, str], Api]] = {
    ("POST", "/chat/completions"): CHAT_COMPLETIONS,
    ("POST", "/responses"): RESPONSES,
    ("POST", "/messages"): MESSAGES,
    ("POST", "/messages/count_tokens"): COUNT_TOKENS,
    ("POST", "/completions"): COMPLETIONS,
    ("POST", "/embeddings"): EMBEDDINGS,
    ("GET", "/models"): MODELS,
}
"""By method, and end of the path; of two ends that fit the first counts."""


def api_of(method: str, path: str) -> Api | None:
    """The API that a request is made to; None if it is none that is read here."""
    for (verb, end), api in _APIS.items():
        if method == verb and path.endswith(end):
            return api
    return None
