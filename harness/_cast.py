"""The recording of a terminal: an asciicast v2 file."""

import codecs
import json
import os
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path

from ..traces import Redactor, StoreError
from ._masking import TerminalMask

__all__ = ["Cast"]


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Cast:
    """An asciicast v2 file of a terminal's output, on disk up to the last event that came.

    Its times are seconds since it was opened. Bytes that are not UTF-8 are shown as replacement characters. Secrets are
    masked; the last word is written with what follows it, since it may be the beginning of one.
    """

    def __init__(
        self, path: Path, columns: int, rows: int, env: Mapping[str, str], redactor: Redactor | None = None
    ) -> None:
        """Make the file, with the size of the terminal, and TERM and SHELL of `env`, in its first line.

        `redactor` masks the secrets; None: those that look like common ones.

        Raises:
            StoreError: It exists already, or cannot be written.
        """
        self._path = path
        self._begin = time.monotonic()
        self._size = 0
        # A character may be split over two reads.
        redactor = redactor or Redactor()
        self._mask = TerminalMask(redactor)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            self._file = FileIO(path, "xb", opener=_open_for_owner)
        except OSError as error:
            raise StoreError(f"cannot write the terminal's recording {path}: {error.strerror}") from error
        shown = {name: redactor.mask_text(env[name]) for name in ("TERM", "SHELL") if name in env}
        header = {"version": 2, "width": columns, "height": rows, "timestamp": int(time.time()), "env": shown}
        try:
            self._append(header)
        except StoreError:
            self._file.close()
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the file: there was nothing to record."""
        self._path.unlink()

    def write(self, data: bytes) -> None:
        """Add what the terminal showed just now. Raises StoreError; the file then ends with the event before."""
        self._event(self._decoder.decode(self._mask.feed(data)))

    def close(self) -> None:
        """Add what was held back, and what is left of a character that never came whole. Raises StoreError."""
        with self._file:
            self._event(self._decoder.decode(self._mask.flush(), final=True))

    def _event(self, text: str) -> None:
        if text:
            self._append([round(time.monotonic() - self._begin, 6), "o", text])

    def _append(self, line: object) -> None:
        """A line that does not fit on the disk is taken back."""
        # In ASCII, since some readers take U+2028 or U+0085 for the end of a line.
        record = json.dumps(line).encode() + b"\n"
        try:
            written = 0
            while written < len(record):
                written += self._file.write(record[written:])
        except OSError as error:
            self._file.truncate(self._size)
            raise StoreError(f"cannot write the terminal's recording {self._path}: {error.strerror}") from error
        self._size += len(record)
