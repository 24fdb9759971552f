"""What a destination refused for good: kept, with the reason, to be looked at and sent again.

`dead-letters.jsonl` holds one JSON object a line. A refused line of a journal is in it as it was recorded, and is made fit for
the backend anew when it is sent again; a refused request of a profile is in it with its path and its body.
"""

import base64
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from ._batches import Line
from ._profile import FurtherRequest

__all__ = ["DEAD_LETTERS", "DeadLetters", "read_request", "whole_lines"]

DEAD_LETTERS: Final = "dead-letters.jsonl"
_SENDING: Final = "dead-letters.sending.jsonl"


class DeadLetters:
    """The dead letters of one destination."""

    def __init__(self, folder: Path) -> None:
        """Name the folder of the destination's state; files are made when there is something to keep."""
        self.path = folder / DEAD_LETTERS
        """Where new ones go."""
        self.sending = folder / _SENDING
        """Those that are being sent again."""

    def keep(self, lines: Iterable[Line], reason: str) -> None:
        """Append lines, safe against power loss. Raises OSError."""
        self._append({"reason": reason, "run_folder": str(line.folder), "traces": line.recorded} for line in lines)

    def keep_request(self, request: FurtherRequest, reason: str) -> None:
        """Append a request of a profile. Raises OSError."""
        told = {"method": request.method, "path": request.path, "headers": dict(request.headers)}
        self._append([{"reason": reason, "request": {**told, "body": base64.b64encode(request.body).decode()}}])

    def take(self) -> Path | None:
        """The file of those to send again, which no new ones go into; None if there are none.

        One that an interrupted command left goes first.
        """
        if not self.sending.exists() and self.path.exists():
            self.path.rename(self.sending)
        return self.sending if self.sending.exists() else None

    def count(self) -> int:
        """How many there are."""
        return sum(1 for path in (self.sending, self.path) for _ in whole_lines(path))

    def _append(self, letters: Iterable[Mapping[str, Any]]) -> None:
        moment = time.time_ns()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            if torn:
                file.write(b"\n")
            for letter in letters:
                file.write(orjson.dumps({"time_unix_nano": str(moment), **letter}) + b"\n")
            file.flush()
            os.fsync(descriptor)


def read_request(letter: Mapping[str, Any]) -> FurtherRequest | None:
    """The request that a dead letter holds; None if it holds spans."""
    told = letter.get("request")
    if told is None:
        return None
    return FurtherRequest(
        method=told["method"], path=told["path"], headers=told["headers"], body=base64.b64decode(told["body"])
    )


def whole_lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """The lines of a file that end; none if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except FileNotFoundError:
        return
