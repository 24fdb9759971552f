"""The body of a request that is too large to be held: on disk while it comes, and sent up from there.

It lies in a file without a name, byte for byte as it came, for the upstream. What is kept of it in the run is made at the same
time: it is hashed, searched for secrets and compressed piece by piece, as an answer is.
"""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from ..traces import HashedBody, Spill

__all__ = ["LargeBody"]

_SEARCHED: Final = 64 * 1024
"""Bytes that are searched for secrets and compressed at a time: of 256 KiB at a time each would take three times as long."""

_logger = logging.getLogger("tachograph.proxy")


class LargeBody:
    """The same bytes again and again, whoever asks for them. What is on disk is gone with the last reference to it."""

    __slots__ = ("_held", "_spill", "kept")

    def __init__(self, new_spill: Callable[[], Spill], kept: HashedBody) -> None:
        """Begin empty.

        Args:
            new_spill: makes the file.
            kept: empty, to be filled with what is kept of the body.
        """
        self.kept = kept
        self._held: list[bytes] = []
        self._spill: Spill | None = None
        try:
            self._spill = new_spill()
        except OSError as error:
            self._hold(error)

    def append(self, piece: bytes) -> None:
        """Take the next bytes. Where the disk does not take them they are held: a call goes on without the recorder."""
        for start in range(0, len(piece), _SEARCHED):
            self.kept.add(piece[start : start + _SEARCHED])
        if self._spill is None or self._held:
            self._held.append(piece)
            return
        try:
            self._spill.append(piece)
        except OSError as error:
            self._hold(error)
            self._held.append(piece)

    def _hold(self, error: OSError) -> None:
        """Hold what is on disk, too: there is no room, and what is recorded of the call needs some."""
        _logger.warning("a large request is held in memory: %s", error.strerror or error)
        if self._spill is not None:
            with contextlib.suppress(OSError):
                self._held, self._spill = list(self._spill), None

    def __len__(self) -> int:
        """Bytes so far."""
        return self.kept.length

    @property
    def sha256(self) -> str:
        """Hex sha256 of the bytes so far."""
        return self.kept.sha256

    def pieces(self) -> Iterator[bytes]:
        """All bytes, in pieces. Raises OSError: they cannot be read back."""
        return chain(self._spill or (), self._held)

    def content(self) -> bytes:
        """All bytes, for who must have them in memory. Raises OSError as above."""
        content = io.BytesIO()
        content.writelines(self.pieces())
        return content.getvalue()
