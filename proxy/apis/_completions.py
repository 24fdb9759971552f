"""OpenAI's legacy Completions: the objects are those of chat completions, with a text in the place of a message.

No usage is asked for where the agent does not: what completes text in an editor is the only client left, and servers
differ on whether they take the option here.
"""

from functools import partial
from typing import Final

from ._answer import Api, Question
from ._chat_completions import ChatCollector
from ._members import parsed_object, text_of
from ._openai_errors import openai_error
from ._readers import StreamReader, WholeReader

__all__ = ["COMPLETIONS"]


def _read_question(body: bytes) -> Question:
    parsed = parsed_object(body)
    if parsed is None:
        return Question()
    return Question(model=text_of(parsed.get("model")), streamed=parsed.get("stream") is True, parsed=parsed)


COMPLETIONS: Final = Api(
    name="completions",
    provider="openai",
    read_question=_read_question,
    stream_reader=partial(StreamReader, ChatCollector),
    whole_reader=partial(WholeReader, ChatCollector),
    error_body=openai_error,
)
