"""What is asked and answered: a coding agent's request of 20 KB, and a JSON answer or a stream of chunks.

Each call has a number of its own, in its request and in its answer. So no two bodies are alike, as in life, where a recorder
cannot keep one and name it again; and an answer that reached the wrong agent shows.
"""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["NUMBER_DIGITS", "Work", "framed"]

NUMBER_DIGITS: Final = 12
_QUESTION_BYTES: Final = 20_000
_ANSWER_BYTES: Final = 2_000
_CHUNK_BYTES: Final = 250
_NUMBER: Final = "#" * NUMBER_DIGITS
"""Stands where the number will."""
_CODE: Final = 'def read(path: str) -> bytes:\n    """Read a file, "whole"."""\n    with open(path, "rb") as file:\n'
_USAGE: Final = {"prompt_tokens": 5120, "completion_tokens": 200, "total_tokens": 5320}
_MODEL: Final = re.compile(rb'"model":"bench-(\d+)-(\d+)"')


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of call."""

    chunks: int = 0
    """Chunks of content in a streamed answer; 0: one JSON answer of 2 KB."""
    pace_ms: int = 0
    """Milliseconds from one chunk to the next; 0: as fast as the connection takes them."""

    @classmethod
    def of(cls, question: bytes | bytearray) -> "Work":
        """The kind of call that a request asks for by its model name, which every proxy passes on."""
        model = _MODEL.search(question)
        if model is None:
            raise ValueError("a request for no known work")
        return cls(int(model[1]), int(model[2]))

    def question(self, number: bytes) -> bytes:
        """The body of a request."""
        before, after = _question(self)
        return b"%b%b%b" % (before, number, after)

    def number_in(self, question: bytes) -> bytes | None:
        """The number of a request; None if the request is not to the last byte what `question` made."""
        before, after = _question(self)
        whole = len(question) == len(before) + NUMBER_DIGITS + len(after)
        if not (whole and question.startswith(before) and question.endswith(after)):
            return None
        return question[len(before) : len(before) + NUMBER_DIGITS]

    def answer(self, number: bytes) -> tuple[bytes, ...]:
        """The body of the answer, in the pieces that it is sent in."""
        before, after, rest = _answer(self)
        return (b"%b%b%b" % (before, number, after), *rest)

    def framed_answer(self, number: bytes) -> tuple[bytes, ...]:
        """The pieces in the framing of chunked transfer, the end of the body with the last one."""
        before, after, _ = _answer(self)
        return (framed(b"%b%b%b" % (before, number, after)), *_framed_rest(self))

    def whole_answer(self, number: bytes) -> bytes:
        """The body of the answer in one."""
        before, after, _ = _answer(self)
        return b"%b%b%b%b" % (before, number, after, _joined_rest(self))


def framed(piece: bytes) -> bytes:
    """A piece of a body in the framing of chunked transfer."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


@functools.cache
def _question(work: Work) -> tuple[bytes, bytes]:
    def encoded(text: str) -> bytes:
        return _encoded(
            {
                "model": f"bench-{work.chunks}-{work.pace_ms}",
                "stream": work.chunks > 0,
                **({"stream_options": {"include_usage": True}} if work.chunks else {}),
                "temperature": 0,
                "tools": [_tool(name) for name in ("read_file", "write_file", "run_command", "search")],
                "messages": [
                    {"role": "system", "content": "You are a coding agent.\n" + _CODE * 20},
                    {"role": "user", "content": "Fix the failing test."},
                    {"role": "assistant", "content": None, "tool_calls": [_tool_call()]},
                    {"role": "tool", "tool_call_id": "call_1", "content": text},
                    {"role": "user", "content": f"This is call {_NUMBER}."},
                ],
            }
        )

    return _around_number(_padded(encoded, _QUESTION_BYTES))


def _tool(name: str) -> dict[str, Any]:
    members = {"path": {"type": "string", "description": "a file"}, "line": {"type": "integer"}}
    parameters = {"type": "object", "properties": members, "required": ["path"]}
    return {"type": "function", "function": {"name": name, "description": _CODE * 2, "parameters": parameters}}


def _tool_call() -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "main.py"}'}}


@functools.cache
def _answer(work: Work) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """What stands before the number, what behind it, and the pieces after the first."""
    if not work.chunks:
        return *_around_number(_padded(_whole, _ANSWER_BYTES)), ()
    first, *others = (
        _padded(functools.partial(_chunk, _NUMBER if index == 0 else ""), _CHUNK_BYTES) for index in range(work.chunks)
    )
    finish = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    end = finish + _event({"choices": [], "usage": _USAGE}) + b"data: [DONE]\n\n"
    return *_around_number(first), (*others, end)


@functools.cache
def _framed_rest(work: Work) -> tuple[bytes, ...]:
    *pieces, last = _answer(work)[2]
    return (*map(framed, pieces), framed(last) + framed(b""))


@functools.cache
def _joined_rest(work: Work) -> bytes:
    return b"".join(_answer(work)[2])


def _whole(text: str) -> bytes:
    message = {"role": "assistant", "content": f"{_NUMBER}{text}"}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _encoded({**_head("chat.completion"), "choices": [choice], "usage": _USAGE})


def _chunk(mark: str, text: str) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"content": mark + text}, "finish_reason": None}]})


def _event(said: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % _encoded({**_head("chat.completion.chunk"), **said})


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-bench", "object": kind, "created": 1750000000, "model": "bench"}


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _padded(encode: Callable[[str], bytes], size: int) -> bytes:
    """What `encode` makes of a text that is as long as it takes to come to this size."""
    text = _CODE * (size // len(_CODE))
    while len(encode(text)) > size:
        text = text[: -max(1, (len(encode(text)) - size) // 2)]
    return encode(text + "x" * (size - len(encode(text))))


def _around_number(text: bytes) -> tuple[bytes, bytes]:
    before, _, after = text.partition(_NUMBER.encode())
    return before, after
