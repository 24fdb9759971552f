"""What was said in a run: the messages of each call, read from its recorded bodies."""

from ._dialect import UnreadableError
from ._transcript import read_conversation, read_transcript
from ._turn import Message, ToolInvocation, Turn

__all__ = [
    "Message",
    "ToolInvocation",
    "Turn",
    "UnreadableError",
    "read_conversation",
    "read_transcript",
]
