"""The list of models, at one path with OpenAI and Anthropic: nothing of it is recorded but an error."""

from functools import partial
from typing import Final

from ._answer import Api, Question
from ._chat_completions import ChatCollector
from ._openai_errors import openai_error
from ._readers import StreamReader, WholeReader

__all__ = ["MODELS"]


def _read_question(_body: bytes) -> Question:
    return Question()


MODELS: Final = Api(
    name="models",
    provider=None,
    read_question=_read_question,
    stream_reader=partial(StreamReader, ChatCollector),
    whole_reader=partial(WholeReader, ChatCollector),
    error_body=openai_error,
    uses_tokens=False,
)
