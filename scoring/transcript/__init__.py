"""What was said in a run: the messages of each call, read from its recorded bodies."""

from ._dialect import UnreadableError
from ._exchange import Exchange, read_exchange
from ._transcript import read_conversation, read_transcript
from ._turn import Message, ToolInvocation, Turn

__all__ = [
    "Exchange",
    "Message",
    "ToolInvocation",
    "Turn",
    "UnreadableError",
    "read_conversation",
    "read_exchange",
    "read_transcript",
]
