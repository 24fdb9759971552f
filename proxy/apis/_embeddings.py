"""OpenAI Embeddings: one object, with model and usage where chat completions have them. There are no output tokens."""

from functools import partial
from typing import Final

from ._answer import Api, Question
from ._chat_completions import ChatCollector
from ._members import parsed_object, text_of
from ._openai_errors import openai_error
from ._readers import StreamReader, WholeReader

__all__ = ["EMBEDDINGS"]


def _read_question(body: bytes) -> Question:
    parsed = parsed_object(body)
    return Question() if parsed is None else Question(model=text_of(parsed.get("model")), parsed=parsed)


EMBEDDINGS: Final = Api(
    name="embeddings",
    provider="openai",
    read_question=_read_question,
    stream_reader=partial(StreamReader, ChatCollector),
    whole_reader=partial(WholeReader, ChatCollector),
    error_body=openai_error,
)
