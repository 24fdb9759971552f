"""What was said in a run: the messages of each call, read from its recorded bodies."""

from ._dialect import UnreadableError
from ._exchange import Exchange, read_exchange
from ._requests import RequestRead, read_response_body
from ._transcript import read_conversation, read_transcript
from ._turn import Message, ToolInvocation, Turn

__all__ = [
    "Exchange",
    "Message",
    "RequestRead",
    "ToolInvocation",
    "Turn",
    "UnreadableError",
    "read_conversation",
    "read_exchange",
    "read_response_body",
    "read_transcript",
]
