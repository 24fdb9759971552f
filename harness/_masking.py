"""Masking secrets where text comes in pieces and is shown at once: terminals and logs."""

import logging
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from ..traces import Found, Redactor, masked

__all__ = ["MaskingFormatter", "TerminalMask", "mask_logs"]

_CONTROL: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
"""Colours, cursor movements, titles: ECMA-48, section 5.4, and xterm's OSC. They may stand within a word."""
_LEFT_OUT: Final = b"[masked]\r\n"
_MOST_HELD: Final = 4096
"""Bytes of a word."""
_PEM: Final = b"-----BEGIN "
_LONGEST_PEM_START: Final = 512
"""Bytes of a private key in lines by which it is certainly known for one."""
_LONGEST: Final = 64 * 1024


_logger = logging.getLogger("tachograph.terminal")


class TerminalMask:
    """What a terminal shows, with its secrets masked, also those that two reads cut or that change colour midway.

    The last word is held back until what follows it has come: it may be the beginning of a secret.
    """

    def __init__(self, redactor: Redactor) -> None:
        """Begin with nothing held back."""
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take what is shown next; gives what can be written."""
        data = self._held + data
        found = self._find(data)
        end = len(data) if found is None else _end_of_whole_words(data, found)
        self._held = data[end:]
        return _LEFT_OUT if found is None else masked(data[:end], [one for one in found if one.start < end]).data

    def flush(self) -> bytes:
        """What is held back: nothing follows it."""
        data, self._held = self._held, b""
        found = self._find(data)
        return _LEFT_OUT if found is None else masked(data, found).data

    def _find(self, data: bytes) -> list[Found] | None:
        """The secrets, with the control sequences within them. None: it cannot be told."""
        try:
            return self._find_shown(data)
        except Exception:  # the agent must not notice (law 1), and no secret slip through (law 4)
            _logger.exception("a terminal's output could not be searched for secrets: it is left out")
            return None

    def _find_shown(self, data: bytes) -> list[Found]:
        if b"\x1b" not in data:
            return self._redactor.find(data)
        shown, places = _without_controls(data)
        return [Found(places(one.start), places(one.end - 1) + 1, one.kind) for one in self._redactor.find(shown)]


def _without_controls(data: bytes) -> tuple[bytes, "_Places"]:
    kept = []
    position = 0
    for match in _CONTROL.finditer(data):
        kept.append((position, match.start()))
        position = match.end()
    kept.append((position, len(data)))
    return b"".join(data[start:end] for start, end in kept), _Places(kept)


class _Places:
    """Where a byte of what is shown stands in what came."""

    def __init__(self, kept: Sequence[tuple[int, int]]) -> None:
        self._kept = kept
        self._ends = list(accumulate(end - start for start, end in kept))

    def __call__(self, shown: int) -> int:
        part = bisect_right(self._ends, shown)
        start, end = self._kept[part]
        return start + shown - (self._ends[part] - (end - start))


def _end_of_whole_words(data: bytes, found: Sequence[Found]) -> int:
    """How much can be written: up to the last word, to what may be a key in lines, and to a secret whose end may be to come."""
    words_end = max(data.rfind(space) for space in (b" ", b"\n", b"\r", b"\t")) + 1
    end = max(words_end, len(data) - _MOST_HELD)
    begun = data.rfind(_PEM, max(0, len(data) - _LONGEST_PEM_START))
    if begun >= 0 and not any(one.start <= begun < one.end for one in found):
        end = min(end, begun)
    for one in found:
        if one.end >= end or not _CONTROL.sub(b"", data[one.end :]).strip():
            end = min(end, one.start)
    return end if len(data) - end <= _LONGEST else len(data)


class MaskingFormatter(logging.Formatter):
    """Writes log messages and tracebacks with their secrets masked."""

    def __init__(self, inner: logging.Formatter | None, redactor: Redactor) -> None:
        """Take what writes them; None: the library's own."""
        super().__init__()
        self._inner = inner or logging.Formatter()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines, of a message."""
        try:
            return self._redactor.mask_text(self._inner.format(record))
        except Exception:  # noqa: BLE001  a log must not fail, and must not tell
            return f"{record.name}: a message could not be searched for secrets, and is left out"


def mask_logs(redactor: Redactor) -> None:
    """Mask the secrets in all that this process logs from here on."""
    for handler in logging.getLogger().handlers:
        inner = handler.formatter
        if not isinstance(inner, MaskingFormatter):
            handler.setFormatter(MaskingFormatter(inner, redactor))
